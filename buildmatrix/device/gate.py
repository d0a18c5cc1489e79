"""The gate: what speaks against running a bundle on a board. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.audit import judge
from buildmatrix.device import checks
from buildmatrix.nouns import FPU_RANK, AuditPolicy, version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import DeviceInfo, ElfFacts, Finding, Target

# AArch32 on a core with asimd always has these; a 64-bit kernel lists only asimd.
IMPLIED = {"asimd": frozenset({"neon", "vfpv3", "vfpv4"})}
# What code of each Target.fpu needs: of every group, at least one feature.
FPU_NEEDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "": (),
    "vfpv2": (("vfp", "vfpv3", "vfpv4"),),
    "vfpv3-d16": (("vfpv3", "vfpv3d16", "vfpv4"),),
    "vfpv3": (("neon", "vfpd32"), ("vfpv3", "vfpv4")),
    "neon": (("neon",),),
    "neon-vfpv4": (("neon",), ("vfpv4",)),
    # No word tells ARMv8 to a 32-bit program; these are of cores that came with it. crc32 may be
    # left out by ARMv8.0 and is in each that a Raspberry Pi has.
    "neon-fp-armv8": (("neon",), ("vfpv4",), ("crc32", "asimd", "aes")),
    "crypto-neon-fp-armv8": (("neon",), ("vfpv4",), ("aes",), ("pmull",), ("sha2",)),
}
HOT = 75.0  # °C
SKEW = 120.0  # seconds; less may be the way of the answer over a slow link
# QEMU that counts instructions gives its guest less time than passes here, hours in a day; no time
# of such a board is published.
BEHIND = 86400.0  # seconds
THROTTLED_NOW = 0xF  # bits 0-3: under-voltage, capped, throttled, soft limit; 16-19: has been


def unfit(info: DeviceInfo, target: Target, *, needs_kib: int) -> tuple[Finding, ...]:
    """The gate: what speaks against running a bundle for `target` there.

    A finding with Severity.ERROR means 'do not upload'; the others, 'a time measured now is
    doubtful'. `needs_kib` is the room that the bundle takes on the board's disk.
    """
    return (*_foreign(info, target), *_no_room(info, needs_kib), *_doubts(info), *_clocks(info))


def meant_for(info: DeviceInfo, machines: Mapping[str, str]) -> tuple[str, ...]:
    """The cells whose machine is the board's own; all of them when none is.

    `machines` gives the place of each cell's target by its id. All are returned in the second case
    so that the gate, which judges them next, can say why none of them fits.
    """
    cells = tuple(cell for cell, machine in machines.items() if machine == info.elf_machine)
    return cells or tuple(machines)


def explained(
    info: DeviceInfo, target: Target, facts: Sequence[ElfFacts], refusals: Sequence[Finding]
) -> tuple[Finding, ...]:
    """The audit's findings that explain a refusal: the bundle's files, held against this board."""
    refused = {refusal.code for refusal in refusals}
    codes = {code for check in checks.CHECKS if check.code in refused for code in check.audited}
    fpus = [fpu for fpu in FPU_RANK if not _missing(info, fpu)]
    board = replace(
        target,
        machine=info.elf_machine,
        fpu=fpus[-1],
        float_abi=info.float_abi or target.float_abi,
        libc_floor=info.libc or target.libc_floor,
    )
    return tuple(f for f in judge(facts, AuditPolicy(board)) if f.code in codes)


def _foreign(info: DeviceInfo, target: Target) -> Iterator[Finding]:
    """What the bundle's code wants and the board has not."""

    if target.bare:
        yield checks.USERLAND.of(
            info,
            "the bundle is a whole program for a board without an operating system, which "
            "`inv firmware` runs",
        )
        return
    if info.elf_machine != target.machine:
        yield checks.USERLAND.of(
            info, f"the board's userland is {info.elf_machine}, the bundle is {target.machine}"
        )
    elif missing := _missing(info, target.fpu):
        listed = " ".join(sorted(info.features))
        yield checks.FPU.of(
            info,
            f"the bundle is built for {target.fpu} and needs {', '.join(missing)}; "
            f"the board's CPU lists: {listed}",
        )
    if info.libc.startswith("musl"):
        yield checks.MUSL.of(
            info,
            f"the board's libc is {info.libc}, the bundle's is glibc"
            f"{f' {target.libc_floor}' if target.libc_floor else ''}: its loader is not there",
        )
    elif info.libc and version_tuple(info.libc) < version_tuple(target.libc_floor):
        yield checks.OLD_LIBC.of(
            info, f"the board has libc {info.libc}, the bundle may need GLIBC_{target.libc_floor}"
        )
    if info.elf_machine == target.machine and info.float_abi not in {"", target.float_abi}:
        yield checks.FLOATS.of(
            info,
            f"the board's userland is {info.float_abi}-float, the bundle is "
            f"{target.float_abi}-float: its loader and libc are others",
        )


def _no_room(info: DeviceInfo, needs_kib: int) -> Iterator[Finding]:
    """Why the bundle cannot be put, or run, where it would be."""

    if not info.home_exists:
        home = info.home or "of that user"
        yield checks.NO_HOME.of(
            info, f"the home folder {home} does not exist, and everything goes below it"
        )
        return
    point, _, options = info.mount.partition(" ")
    if "noexec" in options.split(","):
        yield checks.NOEXEC.of(
            info, f"nothing may be executed where the bundle would be: {point} is mounted noexec"
        )
    if "ro" in options.split(","):
        yield checks.READ_ONLY.of(
            info, f"nothing can be written where the bundle would be: {point} is read-only"
        )
    if info.disk_free_kib < needs_kib:
        yield checks.NO_ROOM.of(
            info,
            f"the board has {info.disk_free_kib} KiB of disk free, the bundle needs {needs_kib}",
        )


def _doubts(info: DeviceInfo) -> Iterator[Finding]:
    """What makes a time that is measured now, or the gate itself, doubtful."""
    if not info.libc:
        yield checks.UNKNOWN_LIBC.of(info, "the board does not say its libc")
    if not info.features:
        yield checks.UNKNOWN_CPU.of(
            info, "the board lists no ARM CPU features, the bundle's need of NEON is unchecked"
        )
    if info.skew_s is not None and not -(BEHIND if info.emulated else SKEW) <= info.skew_s <= SKEW:
        way = "ahead of" if info.skew_s > 0 else "behind"
        yield checks.WRONG_TIME.of(
            info, f"the board's clock is {_span(abs(info.skew_s))} {way} this machine's"
        )
    if info.throttled is not None and int(info.throttled, 16) & THROTTLED_NOW:
        yield checks.THROTTLED.of(
            info, f"the board is throttled now (get_throttled={info.throttled})"
        )
    if info.temperature_c is not None and info.temperature_c >= HOT:
        yield checks.HOT.of(
            info, f"the board is hot: {_hottest(info)}, and a Raspberry Pi slows down from 80"
        )
    if info.load1 > 0.5 * info.cores:
        yield checks.BUSY.of(
            info, f"the board has other work: load {info.load1:g} on {info.cores} cores"
        )


def _clocks(info: DeviceInfo) -> Iterator[Finding]:
    """Every clock counts: a board with two kinds of cores has two."""
    moving = {p.governor for p in info.policies if p.governor} - {"performance"}
    if not info.policies and info.governor not in {None, "performance"}:
        moving = {str(info.governor)}
    if moving:
        yield checks.GOVERNOR.of(info, f"the clock may move: governor {', '.join(sorted(moving))}")
    for policy in info.policies:
        limit, able = policy.max_khz, policy.hardware_max_khz
        if limit and able and limit < able:
            yield checks.CLOCK_LIMIT.of(
                info,
                f"the clock of cpu {', '.join(map(str, policy.cpus))} is held at {limit} kHz of "
                f"{able}",
            )


def _hottest(info: DeviceInfo) -> str:
    """
    >>> from types import SimpleNamespace as Is
    >>> _hottest(Is(temperature_c=81.2, zones=(Is(kind="soc", celsius=81.2),)))
    '81 °C (soc)'
    """
    zone = next((z for z in info.zones if z.celsius == info.temperature_c), None)
    return f"{info.temperature_c:.0f} °C" + (f" ({zone.kind})" if zone else "")


def _missing(info: DeviceInfo, fpu: str) -> tuple[str, ...]:
    """Features that code for `fpu` needs and an AArch32 program does not find there."""
    if not info.features:
        return ()
    has = info.features.union(*(IMPLIED.get(feature, ()) for feature in info.features))
    return tuple(" or ".join(group) for group in FPU_NEEDS[fpu] if not has & {*group})


def _span(seconds: float) -> str:
    """
    >>> _span(90), _span(7200), _span(3e6)
    ('90 s', '2 h', '35 days')
    """
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
