"""What the linker and the assembler wrote into .ARM.attributes and the header flags."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.sections import ARMAttributesSection, ARMAttributesSubsection

from buildmatrix.elf.sections import first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elftools.elf.elffile import ELFFile

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

FLAG_SOFT, FLAG_HARD = 0x200, 0x400  # EF_ARM_ABI_FLOAT_*, written by the linker only


def attributes(elf: ELFFile) -> Mapping[str, int]:
    """Tag -> value of the file scope of the 'aeabi' vendor; empty without .ARM.attributes.

    Walks the vendors itself, on a copy of the section: pyelftools computes the start of a second
    vendor wrongly and would follow damaged lengths through the whole file.
    """
    section = first(elf, ARMAttributesSection)
    data = section.data() if section else b""
    start = 1  # after the format version 'A'
    while start < len(data):
        vendor = ARMAttributesSubsection(io.BytesIO(data), elf.structs, start)
        if vendor["vendor_name"] == "aeabi":
            scope = next(vendor.iter_subsubsections())
            if scope.header.tag != "TAG_FILE":
                raise ELFError("the attributes begin with those of a section, not of the file")
            return {tag.tag: tag.value for tag in scope.iter_attributes()}
        if vendor["length"] < 4:
            raise ELFError("a vendor part of .ARM.attributes has no length")
        start += vendor["length"]
    return {}


def word(words: tuple[str, ...], value: int | None) -> str:
    if value is None:
        return ""
    return words[value] if value < len(words) else f"??? ({value})"


def float_abi(flags: int, tags: Mapping[str, int]) -> str:
    """How floats are passed: hard | soft | unspecified.

    'soft' when the header or the attributes say so, whatever the other says. Tag_ABI_VFP_args
    binds only code with a floating-point model (Tag_ABI_FP_number_model), the rule by which GNU
    ld accepts or refuses a mix. Code without one takes no side, and neither does a file without
    header flag and attributes: Go's linker writes such executables.
    """
    args = tags.get("TAG_ABI_VFP_ARGS", 0)
    passes_in_core = args not in (VFP_ARGS_IN_REGISTERS, VFP_ARGS_COMPATIBLE)
    if flags & FLAG_SOFT or (passes_in_core and tags.get("TAG_ABI_FP_NUMBER_MODEL")):
        return "soft"
    if flags & FLAG_HARD or args == VFP_ARGS_IN_REGISTERS:
        return "hard"
    return "unspecified"
