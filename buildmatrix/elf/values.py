"""Addresses that a function puts together in its registers, and those that it hands to a call.

Only what is the same on every way to a place counts; an instruction that is not known here leaves
nothing in the registers that it may write. Source of the forms: Arm Architecture Reference Manual,
DDI 0487: C6 (A64), F5 (A32 and T32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.elf.decoded import CALLS, DERIVES, FORMS, WRITES_TWO
from buildmatrix.elf.flow import step
from buildmatrix.isa.branches import Kind, adr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from buildmatrix.elf.decoded import Page
    from buildmatrix.elf.flow import Block, Body
    from buildmatrix.elf.memory import Memory

Registers = dict[int, int]  # number -> value, where it is known
PC = 15
ROUNDS = 4  # visits of one block, on average
STORES = (0x6000, 0x7000, 0x8000, 0x9000, 0xC000)  # str, strb, strh, str to the stack, stm


def entered(
    memory: Memory, body: Body, start: int, first: Registers, *, thumb: bool
) -> Mapping[int, Registers]:
    """Block -> what is in the registers where it begins, the function entered with `first`."""
    blocks = {block.start: block for block in body.blocks}
    known: dict[int, Registers] = {start: dict(first)}
    waiting, budget = [start], ROUNDS * len(blocks)
    while waiting and budget > 0:
        budget -= 1
        block = blocks.get(waiting.pop())
        if block is None:
            continue
        behind = after(memory, block, known[block.start], thumb=thumb)
        for target in block.leads:
            before = known.get(target)
            now = behind if before is None else _both(before, behind)
            if before != now:
                known[target] = dict(now)
                waiting.append(target)
    return known if budget > 0 else {start: dict(first)}


def at_calls(
    memory: Memory, block: Block, before: Registers, *, thumb: bool
) -> Iterator[tuple[int, int, Registers]]:
    """Each call without a condition in a block: its address, what it leads to, and the registers
    before it.

    They are one dictionary that changes on the way.
    """
    registers, address, behind = dict(before), block.start, block.start
    pages = memory.pages
    while address < block.end:
        if pages is not None:
            address = min(pages.turn(address, block.end), block.end)
        way = step(memory, address, thumb=thumb) if address < block.end else None
        if way is not None and way.kind is Kind.CALL and address not in block.conditional:
            _through(memory, behind, address, registers, thumb=thumb)
            behind = address
            yield address, way.target, registers
        address += way.size if way is not None else 2


def at_instructions(
    memory: Memory, block: Block, before: Registers, *, thumb: bool
) -> Iterator[tuple[int, Registers]]:
    """Each instruction of a block: its address, and the registers before it.

    They are one dictionary that changes on the way.
    """
    registers, address = dict(before), block.start
    while address < block.end:
        yield address, registers
        address += _one(memory, address, registers, thumb=thumb)


def constant(memory: Memory, addresses: range, number: int) -> int:
    """What A64 words leave in a register where the last that writes it moves a number there; 0
    where that is not so, where a call comes between, and for 32-bit code."""
    for address in () if memory.arm else reversed(addresses):
        word = memory.word(address) or 0
        pair = word & 0x3A400000 == 0x28400000 and word >> 10 & 31 == number
        writes = word & 31 == number and not _stores(word) and word & 0x1C000000 != 0x14000000
        if _calls(word) or pair or writes:
            return word >> 5 & 0xFFFF if word & 0x7FE00000 == 0x52800000 else 0  # movz
    return 0


def after(memory: Memory, block: Block, before: Registers, *, thumb: bool) -> Registers:
    """What is in the registers behind a block."""
    registers = dict(before)
    _through(memory, block.start, block.end, registers, thumb=thumb)
    return registers


def _through(memory: Memory, address: int, end: int, registers: Registers, *, thumb: bool) -> None:
    """What the instructions from `address` to `end` do to the registers."""
    while address < end:
        page = memory.pages.at(address) if memory.pages is not None else None
        if page is None:
            address += _one(memory, address, registers, thumb=thumb)
        else:
            _through_page(memory, page, address, min(end, page.end), registers)
            address = page.end


def _through_page(memory: Memory, page: Page, address: int, end: int, registers: Registers) -> None:
    """The same of decoded words: with nothing in the registers only an address changes them."""
    place, last = (address - page.start) // 4, (end - page.start) // 4
    effects, written = page.effects, page.to
    while place < last:
        if not registers:
            place = effects.find(FORMS, place, last)
            if place < 0:
                return
        effect = effects[place]
        if effect <= WRITES_TWO:
            if effect and written[place] in registers:
                del registers[written[place]]
            if effect == WRITES_TWO:
                registers.pop(page.words[place] >> 10 & 31, None)
        elif effect == DERIVES and page.source[place] not in registers:
            registers.pop(written[place], None)
        elif effect == CALLS:
            _called(registers, 19)
        else:
            _a64(memory, page.start + 4 * place, page.words[place], registers)
        place += 1


def _both(one: Registers, other: Registers) -> Registers:
    return {n: value for n, value in one.items() if other.get(n) == value}


def _one(memory: Memory, address: int, registers: Registers, *, thumb: bool) -> int:
    """What the instruction there does to the registers; its size is given back."""
    if not thumb:
        word = memory.word(address) or 0
        (_a32 if memory.arm else _a64)(memory, address, word, registers)
        return 4
    first, second = memory.halves(address)
    if (first := first or 0) < 0xE800:
        _t16(memory, address, first, registers)
        return 2
    _t32(memory, address, first << 16 | second, registers)
    return 4


def _set(registers: Registers, number: int, value: int | None) -> None:
    if value is None:
        registers.pop(number, None)
    else:
        registers[number] = value & 0xFFFFFFFFFFFFFFFF


def _plus(registers: Registers, number: int, more: int) -> int | None:
    return registers[number] + more if number in registers else None


def _load(memory: Memory, place: int | None) -> int | None:
    """A pointer that the loader leaves in data that the program does not write, where it is one."""
    if place is None or not memory.settled(place):
        return None
    return memory.pointer(place)[0] or None


def _a64(memory: Memory, address: int, word: int, registers: Registers) -> None:
    to, source = word & 31, word >> 5 & 31
    if word & 0x9F000000 == 0x90000000:
        _set(registers, to, (address & ~0xFFF) + (adr(word) << 12))
    elif word & 0x9F000000 == 0x10000000:
        _set(registers, to, address + adr(word))
    elif word & 0xFF800000 == 0x91000000:  # add, with a shift by 12 or none
        _set(registers, to, _plus(registers, source, (word >> 10 & 0xFFF) << (word >> 20 & 12)))
    elif word & 0xFFC00000 == 0xF9400000:
        _set(registers, to, _load(memory, _plus(registers, source, (word >> 10 & 0xFFF) * 8)))
    elif word & 0xFFE0FFE0 == 0xAA0003E0:  # mov
        _set(registers, to, registers.get(word >> 16 & 31))
    elif word & 0x1C000000 == 0x14000000:  # branches and system instructions
        if _calls(word):
            _called(registers, 19)
        elif word >> 20 == 0xD53:  # mrs
            _set(registers, to, None)
    elif not _stores(word):
        _set(registers, to, None)
        if word & 0x3A000000 == 0x28000000:
            _set(registers, word >> 10 & 31, None)  # the second of a pair


def _calls(word: int) -> bool:
    """Whether an A64 word is bl or blr."""
    return word >> 26 == 0x25 or word & 0xFFFFFC1F == 0xD63F0000


def _stores(word: int) -> bool:
    """Whether an A64 instruction stores one register or a pair."""
    if word & 0x3A000000 == 0x28000000:
        return not word >> 22 & 1
    return word & 0x3A000000 == 0x38000000 and not word >> 22 & 3


def _called(registers: Registers, scratch: int) -> None:
    """A call leaves nothing in the registers that are not kept over it."""
    for number in [number for number in registers if number < scratch or number == 12]:
        del registers[number]


def _a32(memory: Memory, address: int, word: int, registers: Registers) -> None:
    to, source = word >> 12 & 15, word >> 16 & 15
    if not registers and PC not in (source, word & 15) and word & 0x0FF00000 != 0x03000000:
        return  # nothing is made of nothing
    always = word >> 28 == 0xE
    here = {**registers, PC: address + 8}
    offset = word & 0xFFF if word >> 23 & 1 else -(word & 0xFFF)
    wide = (word >> 4 & 0xF000) | word & 0xFFF
    if word & 0x0F000000 == 0x0B000000 or word & 0x0FFFFFF0 == 0x012FFF30:
        _called(registers, 4)
    elif word & 0x0E000000 == 0x0A000000:
        pass
    elif not always or word & 0x0E100000 == 0x08100000:  # conditional, or loads many registers
        registers.clear()
    elif word & 0x0F700000 == 0x05100000:  # ldr rt, [rn, #n]
        place = here[source] + offset if source in here else None
        _set(registers, to, _word(memory, place))
    elif word & 0x0FF00FF0 == 0x07900000:  # ldr rt, [rn, rm]
        both = source in here and word & 15 in here
        _set(registers, to, _word(memory, here[source] + here[word & 15] if both else None))
    elif word & 0x0FF00FF0 == 0x00800000:  # add rd, rn, rm
        both = source in here and word & 15 in here
        _set(registers, to, here[source] + here[word & 15] & 0xFFFFFFFF if both else None)
    elif word & 0x0FF00FF0 == 0x01A00000:
        _set(registers, to, here.get(word & 15))
    elif word & 0x0FF00000 == 0x03000000:  # movw
        _set(registers, to, wide)
    elif word & 0x0FF00000 == 0x03400000:  # movt
        _set(registers, to, registers[to] & 0xFFFF | wide << 16 if to in registers else None)
    elif word & 0x0C100000 != 0x04000000 and word & 0x0E000000 != 0x08000000:  # no store
        _set(registers, to, None)
        _set(registers, source, None)


def _t16(memory: Memory, address: int, half: int, registers: Registers) -> None:
    if not registers and half & 0xFC00 != 0x4400 and half & 0xF800 not in (0x4800, 0xA000):
        return  # nothing is made of nothing
    here = {**registers, PC: address + 4}
    low, middle = half & 7, half >> 3 & 7
    wide = half >> 4 & 8 | low
    if half & 0xF800 == 0x4800:  # ldr rt, [pc, #n]
        _set(registers, half >> 8 & 7, _word(memory, (address + 4 & ~3) + 4 * (half & 0xFF)))
    elif half & 0xF800 == 0xA000:  # adr
        _set(registers, half >> 8 & 7, (address + 4 & ~3) + 4 * (half & 0xFF))
    elif half & 0xFF00 == 0x4400:  # add rd, rm
        other = half >> 3 & 15
        both = wide in here and other in here
        _set(registers, wide, here[wide] + here[other] & 0xFFFFFFFF if both else None)
    elif half & 0xFF00 == 0x4600:
        _set(registers, wide, here.get(half >> 3 & 15))
    elif half & 0xFE00 == 0x5800:  # ldr rt, [rn, rm]
        other = half >> 6 & 7
        both = middle in here and other in here
        _set(registers, low, _word(memory, here[middle] + here[other] if both else None))
    elif half & 0xF800 == 0x6800:
        _set(registers, low, _word(memory, _plus(registers, middle, 4 * (half >> 6 & 31))))
    elif half & 0xFF87 == 0x4780:  # blx rm
        _called(registers, 4)
    elif half & 0xFF00 == 0xBF00 or half & 0xF000 == 0xD000 or half & 0xF800 == 0xE000:
        pass
    else:
        for number in _written(half):
            _set(registers, number, None)


def _written(half: int) -> Iterable[int]:
    """The registers that another Thumb instruction of one halfword may write."""
    if half & 0xFE00 == 0xB400 or half & 0xF500 == 0xB100 or half & 0xF800 in STORES:
        return ()
    if half & 0xFE00 == 0xBC00:  # pop
        return (number for number in range(8) if half >> number & 1)
    if half & 0xE000 == 0x2000 or half & 0xF800 == 0xA800:  # mov, cmp, add, sub of a constant
        return (half >> 8 & 7,)
    return half & 7, half >> 8 & 7


def _t32(memory: Memory, address: int, word: int, registers: Registers) -> None:
    to = word >> 8 & 15
    wide = word >> 4 & 0xF000 | word >> 15 & 0x800 | word >> 4 & 0x700 | word & 0xFF
    if word & 0xFBF08000 == 0xF2400000:  # movw
        _set(registers, to, wide)
    elif word & 0xFBF08000 == 0xF2C00000:  # movt
        _set(registers, to, registers[to] & 0xFFFF | wide << 16 if to in registers else None)
    elif word & 0xFF7F0000 == 0xF85F0000:  # ldr rt, [pc, #n]
        offset = word & 0xFFF if word >> 23 & 1 else -(word & 0xFFF)
        _set(registers, word >> 12 & 15, _word(memory, (address + 4 & ~3) + offset))
    elif word & 0xF800C000 == 0xF000C000:  # bl, blx
        _called(registers, 4)
    elif word & 0xFE500000 == 0xE8100000:  # loads many registers, or two
        registers.clear()
    elif word & 0xF8008000 != 0xF0008000:  # no branch
        _set(registers, to, None)
        _set(registers, word >> 12 & 15, None)


def _word(memory: Memory, place: int | None) -> int | None:
    """A literal among the code, or a settled pointer."""
    if place is None:
        return None
    place &= 0xFFFFFFFF
    if memory.section(place):
        return memory.word(place)
    return _load(memory, place)
