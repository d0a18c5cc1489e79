"""Whether a file looks at what the processor has, so that it may choose its code at run time.

That libgcc asks for its own atomics (outline atomics: a constructor keeps bit 8 of AT_HWCAP) is no
choice of the file's: each of its helpers tests that bit itself. It calls one of getauxval's two
names; a file that has both asks by itself as well (faiss and MNN do).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import is_one_of
from buildmatrix.elf.dynamic import dynamic
from buildmatrix.elf.roots import resolvers
from buildmatrix.elf.tables import ALLOC, EXECINSTR, INIT_ARRAY, PROGBITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.elf.memory import Memory

AUXILIARY = (re.compile(rb"getauxval\0"), re.compile(rb"__getauxval\0"))
# Functions that tell (av_get_cpu_flags is FFmpeg's), or that catch the signal of an instruction
# that is not there.
ASKING = re.compile(
    rb"\0(?!_Z)(elf_aux_info|cpuinfo_\w+|android_getCpu\w+|(__|_)?(sig)?setjmp|"
    rb"(?:[a-z]+_)+cpu_(?:flags|features|caps|detect)|"
    rb"__cpu_indicator_init|__init_cpu_features\w*|_dl_hwcap\d?|__aarch64_cpu_features|"
    rb"_rtld_global_ro)(?=\0)"
)
# Files that tell, and the name by which Rust's library looks getauxval up (dlsym).
TELLING = (b"/proc/cpuinfo", b"/proc/self/auxv", b"midr_el1", b"\0getauxval\0")
UNWINDING = (".eh_frame", ".gcc_except")  # tells of functions, in a third of a library's data
PIECE = 1 << 16  # bytes of data, or words of code, that are looked at in one go
FORGET = 1 << 22  # bytes; after so many what was read is given back
LONGEST_TEXT = max(map(len, TELLING))
LONGEST_CONSTRUCTOR = 16  # instructions
DISTANCE = (1 << 26) - 1  # the bits of a call or jump that say how many words it leads on
HWCAP = (0xD2800200, 0x52800200)  # mov x0, #16, and of w0
BIT_8 = (0x53082000, 0xD3482000)  # ubfx of bit 8


def asks_cpu(memory: Memory) -> bool:
    """True where a name or a text says so, libgcc's own constructor left out."""
    if (
        any(table.texts.has(ASKING) for table in memory.program.symbols)
        or _chooses(memory)
        or any(text in data for data in _constants(memory) for text in TELLING)
    ):
        return True
    names = [name for name in AUXILIARY if _has_symbol(memory, name)]
    return len(names) > 1 or (bool(names) and not _only_for_atomics(memory))


def _has_symbol(memory: Memory, name: re.Pattern[bytes]) -> bool:
    """Whether a symbol has that name, which may be the end of another one's text: linkers keep one
    text for both."""
    return any(
        is_one_of(table.rows["name"], table.texts.matches(name)).any()
        for table in memory.program.symbols
    )


def _chooses(memory: Memory) -> bool:
    """Whether the loader is to choose between functions of the file's own (IFUNC): a resolver is
    given AT_HWCAP. A static program has those of the C library."""
    return bool(dynamic(memory.image).needed) and any(resolvers(memory))


def _constants(memory: Memory) -> Iterator[bytes]:
    for section in memory.image.sections:
        data = section.type == PROGBITS and section.flags & ALLOC
        if data and not section.flags & EXECINSTR and not section.name.startswith(UNWINDING):
            content = memory.image.content(section)
            for start in range(0, len(content), PIECE):
                yield bytes(content[start : start + PIECE + LONGEST_TEXT])
                if not (start + PIECE) % FORGET:
                    memory.image.forget()


def _only_for_atomics(memory: Memory) -> bool:
    """Whether every call of getauxval is that of libgcc's constructor."""
    if memory.arm:
        return False
    stubs = {stub for start in _constructors(memory) if (stub := _asked_by(memory, start))}
    return bool(stubs) and all(_callers(memory, stub) == 1 for stub in stubs)


def _constructors(memory: Memory) -> Iterator[int]:
    for section in memory.image.sections:
        if section.type == INIT_ARRAY:
            for place in range(section.address, section.address + section.size, 8):
                yield memory.pointer(place)[0]


def _asked_by(memory: Memory, start: int) -> int:
    """What a constructor calls that is libgcc's; 0 for another one."""
    words = [memory.word(start + 4 * number) or 0 for number in range(LONGEST_CONSTRUCTOR)]
    if not any(w in HWCAP for w in words) or not any(w & 0xFFFFFC00 in BIT_8 for w in words):
        return 0
    for number, word in enumerate(words):
        if word >> 26 == 0x25:
            far = word & 0x3FFFFFF
            return start + 4 * number + 4 * (far - (1 << 26) if far >> 25 else far)
    return 0


def _callers(memory: Memory, target: int) -> int:
    """How many instructions call or jump to `target`."""
    count, further = 0, np.arange(PIECE, dtype=np.uint32)
    for section in memory.image.sections:
        if section.type == PROGBITS and section.flags & EXECINSTR:
            content = memory.image.content(section)
            words = np.frombuffer(content[: len(content) & ~3], "<u4")
            for start in range(0, len(words), PIECE):
                piece = words[start : start + PIECE]
                far = (target - section.address >> 2) - start
                # The next word leads to the same place with a distance that is one less.
                leads = piece + further[: len(piece)] & DISTANCE == far & DISTANCE
                if leads.any():
                    places = np.flatnonzero(leads)
                    some = piece[places]
                    near = (some.astype(np.int64) << 38 >> 38) + places == far
                    count += int((near & (some & 0x7C000000 == 0x14000000)).sum())
                if not 4 * (start + PIECE) % FORGET:
                    memory.image.forget()
    return count
