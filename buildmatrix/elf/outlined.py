"""libgcc's helpers of outline atomics, which ask the processor by themselves (GCC 10 and later)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.elf.memory import Memory

# How each begins, and then comes the instruction: adrp x16; ldrb w16, [x16, #n]; cbz w16.
HELPER = ((0x9F00001F, 0x90000010), (0xFFC003FF, 0x39400210), (0xFF00001F, 0x34000010))
BTI_C = 0xD503245F  # a helper's landing pad, where it was compiled with one


def is_helper(memory: Memory, address: int) -> bool:
    """Whether the function there looks at what libgcc's constructor kept of AT_HWCAP."""
    return _tests(memory, address + 4 * (memory.word(address) == BTI_C))


def guarded(memory: Memory, addresses: Iterable[int]) -> int:
    """How many of the instructions stand in such a helper, right behind its test."""
    return sum(_tests(memory, address - 4 * len(HELPER)) for address in addresses)


def _tests(memory: Memory, start: int) -> bool:
    words = [memory.word(start + 4 * number) or 0 for number in range(len(HELPER))]
    return all(w & mask == value for w, (mask, value) in zip(words, HELPER, strict=True))
