"""What the linker and the assembler wrote into .ARM.attributes and the header flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from buildmatrix.elf.tables import ARM_ATTRIBUTES, Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from buildmatrix.elf.tables import Image

# The words of `readelf -A`, indexed by value. Source: Addenda to, and Errata in, the ABI for the
# Arm Architecture (ADDENDA32), public build attributes; 0 is 'none' and shown as nothing.
CPU_ARCH = (
    *("Pre-v4", "v4", "v4T", "v5T", "v5TE", "v5TEJ", "v6", "v6KZ", "v6T2", "v6K", "v7"),
    *("v6-M", "v6S-M", "v7E-M", "v8", "v8-R", "v8-M.baseline", "v8-M.mainline"),
    *("v8.1-A", "v8.2-A", "v8.3-A", "v8.1-M.mainline", "v9"),
)
FP_ARCH = (
    *("", "VFPv1", "VFPv2", "VFPv3", "VFPv3-D16", "VFPv4", "VFPv4-D16"),
    *("FP for ARMv8", "FPv5/FP-D16 for ARMv8"),
)
SIMD_ARCH = ("", "NEONv1", "NEONv1 with Fused-MAC", "NEON for ARMv8", "NEON for ARMv8.1")
VFP_ARGS_IN_REGISTERS, VFP_ARGS_COMPATIBLE = 1, 3

TAG_FILE, TAG_CPU_ARCH, TAG_FP_ARCH, TAG_SIMD_ARCH = 1, 6, 10, 12
TAG_FP_NUMBER_MODEL, TAG_VFP_ARGS, TAG_COMPATIBILITY = 23, 28, 32
TEXTS = frozenset((4, 5, 65, 67))  # CPU_raw_name, CPU_name, also_compatible_with, conformance

FLAG_SOFT, FLAG_HARD = 0x200, 0x400  # EF_ARM_ABI_FLOAT_*, written by the linker only


def attributes(image: Image) -> Mapping[int, int]:
    """Tag -> value of the file scope of the 'aeabi' vendor; empty without .ARM.attributes.

    Texts (the CPU's name) are passed over. Read here and not by pyelftools, which knows no tag
    that is newer than itself: ADDENDA32 says how to read one, by its number. Raises Damaged.
    """
    section = image.first(ARM_ATTRIBUTES)
    data = bytes(image.content(section)) if section else b""
    order: Literal["little", "big"] = "little" if image.little_endian else "big"
    start = 1  # after the format version 'A'
    while start < len(data):
        length = int.from_bytes(data[start : start + 4], order)
        vendor, _, scopes = data[start + 4 : start + length].partition(b"\0")
        if length < 4:
            raise Damaged("a vendor part of .ARM.attributes has no length")
        if vendor == b"aeabi":
            if scopes[:1] != bytes((TAG_FILE,)):
                raise Damaged("the attributes begin with those of a section, not of the file")
            return dict(_tags(scopes[5 : int.from_bytes(scopes[1:5], order)]))
        start += length
    return {}


def _tags(data: bytes) -> Iterator[tuple[int, int]]:
    position = 0
    while position < len(data):
        tag, position = _uleb128(data, position)
        if tag in TEXTS or (tag > TAG_COMPATIBILITY and tag % 2):
            position = data.find(b"\0", position) + 1
            if not position:
                raise Damaged(f"the text of attribute {tag} does not end")
            continue
        value, position = _uleb128(data, position)
        if tag == TAG_COMPATIBILITY:  # a flag and the name of who defined it
            position = data.find(b"\0", position) + 1 or len(data)
        yield tag, value


def _uleb128(data: bytes, position: int) -> tuple[int, int]:
    """The number and where it ends: seven bits a byte, the lowest first."""
    value = shift = 0
    while position < len(data) and shift < 64:
        value |= (data[position] & 0x7F) << shift
        position += 1
        if not data[position - 1] & 0x80:
            return value, position
        shift += 7
    raise Damaged("a number in .ARM.attributes does not end")


def word(words: tuple[str, ...], value: int | None) -> str:
    if value is None:
        return ""
    return words[value] if value < len(words) else f"??? ({value})"


def float_abi(flags: int, tags: Mapping[int, int]) -> str:
    """How floats are passed: hard | soft | unspecified.

    'soft' when the header or the attributes say so, whatever the other says. Tag_ABI_VFP_args
    binds only code with a floating-point model (Tag_ABI_FP_number_model), the rule by which GNU
    ld accepts or refuses a mix. Code without one takes no side, and neither does a file without
    header flag and attributes: Go's linker writes such executables.
    """
    args = tags.get(TAG_VFP_ARGS, 0)
    passes_in_core = args not in (VFP_ARGS_IN_REGISTERS, VFP_ARGS_COMPATIBLE)
    if flags & FLAG_SOFT or (passes_in_core and tags.get(TAG_FP_NUMBER_MODEL)):
        return "soft"
    if flags & FLAG_HARD or args == VFP_ARGS_IN_REGISTERS:
        return "hard"
    return "unspecified"
