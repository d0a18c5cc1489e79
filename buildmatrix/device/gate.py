"""The gate: what speaks against running a bundle on a board. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.audit import judge
from buildmatrix.nouns import FPU_RANK, AuditPolicy, Finding, Severity, version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import DeviceInfo, ElfFacts, Target

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
# What the audit says of a file, held against the board, that explains what the gate says.
EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "BM301": ("BM101",),
    "BM302": ("BM111", "BM112"),
    "BM303": ("BM130",),
    "BM311": ("BM103",),
}
THROTTLED_NOW = 0xF  # bits 0-3: under-voltage, capped, throttled, soft limit; 16-19: has been


def unfit(info: DeviceInfo, target: Target, *, needs_kib: int) -> tuple[Finding, ...]:
    """The gate: what speaks against running a bundle for `target` there.

    A finding with Severity.ERROR means 'do not upload'; the others, 'a time measured now is
    doubtful'. `needs_kib` is the room that the bundle takes on the board's disk.
    """
    return (*_foreign(info, target), *_no_room(info, needs_kib), *_doubts(info), *_clocks(info))


def meant_for(info: DeviceInfo, machines: Mapping[str, str]) -> tuple[str, ...]:
    """The cells whose machine is the board's own; all of them when none is.

    `machines` gives the ELF machine of each cell by its id. All are returned in the second case
    so that the gate, which judges them next, can say why none of them fits.
    """
    cells = tuple(cell for cell, machine in machines.items() if machine == info.elf_machine)
    return cells or tuple(machines)


def explained(
    info: DeviceInfo, target: Target, facts: Sequence[ElfFacts], refusals: Sequence[Finding]
) -> tuple[Finding, ...]:
    """The audit's findings that explain a refusal: the bundle's files, held against this board."""
    codes = {code for refusal in refusals for code in EXPLAINS.get(refusal.code, ())}
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

    def error(code: str, message: str, hint: str) -> Finding:
        return Finding(code, Severity.ERROR, info.name, message, hint)

    if info.elf_machine != target.machine:
        yield error(
            "BM301",
            f"the board's userland is {info.elf_machine}, the bundle is {target.machine}",
            "build with a toolchain for the board's userland",
        )
    elif missing := _missing(info, target.fpu):
        listed = " ".join(sorted(info.features))
        yield error(
            "BM302",
            f"the bundle is built for {target.fpu} and needs {', '.join(missing)}; "
            f"the board's CPU lists: {listed}",
            "build with a toolchain for a lesser FPU",
        )
    if info.libc.startswith("musl"):
        yield error(
            "BM303",
            f"the board's libc is {info.libc}, the bundle's is glibc"
            f"{f' {target.libc_floor}' if target.libc_floor else ''}: its loader is not there",
            "put a glibc userland on the board (Debian, Raspberry Pi OS), or log in to a chroot",
        )
    elif info.libc and version_tuple(info.libc) < version_tuple(target.libc_floor):
        yield error(
            "BM303",
            f"the board has libc {info.libc}, the bundle may need GLIBC_{target.libc_floor}",
            "build with a toolchain of an older suite, or update the board",
        )
    if info.elf_machine == target.machine and info.float_abi not in {"", target.float_abi}:
        yield error(
            "BM311",
            f"the board's userland is {info.float_abi}-float, the bundle is "
            f"{target.float_abi}-float: its loader and libc are others",
            "build with a toolchain for the board's userland, or install the other one",
        )


def _no_room(info: DeviceInfo, needs_kib: int) -> Iterator[Finding]:
    """Why the bundle cannot be put, or run, where it would be."""

    def error(code: str, message: str, hint: str) -> Finding:
        return Finding(code, Severity.ERROR, info.name, message, hint)

    if not info.home_exists:
        home = info.home or "of that user"
        yield error(
            "BM315",
            f"the home folder {home} does not exist, and everything goes below it",
            "make it on the board as root, and give it to that user; or log in as another user",
        )
        return
    point, _, options = info.mount.partition(" ")
    if "noexec" in options.split(","):
        yield error(
            "BM312",
            f"nothing may be executed where the bundle would be: {point} is mounted noexec",
            "remount it with exec, or make ~/.buildmatrix a link to a folder of another disk",
        )
    if "ro" in options.split(","):
        yield error(
            "BM313",
            f"nothing can be written where the bundle would be: {point} is read-only",
            "remount it writable, or check the card: Linux does so after an error",
        )
    if info.disk_free_kib < needs_kib:
        yield error(
            "BM304",
            f"the board has {info.disk_free_kib} KiB of disk free, the bundle needs {needs_kib}",
            "make room: inv deploy --prune",
        )


def _doubts(info: DeviceInfo) -> Iterator[Finding]:
    """What makes a time that is measured now, or the gate itself, doubtful."""
    if not info.libc:
        yield _warning(
            info,
            "BM305",
            "the board does not say its libc",
            "see that `getconf GNU_LIBC_VERSION` works",
        )
    if not info.features:
        yield _warning(
            info,
            "BM306",
            "the board lists no ARM CPU features, the bundle's need of NEON is unchecked",
            "look at /proc/cpuinfo there",
        )
    if info.skew_s is not None and abs(info.skew_s) > SKEW:
        way = "ahead of" if info.skew_s > 0 else "behind"
        yield _warning(
            info,
            "BM314",
            f"the board's clock is {_span(abs(info.skew_s))} {way} this machine's",
            "let it find the time (timedatectl set-ntp true), or set it with date as root",
        )
    if info.throttled is not None and int(info.throttled, 16) & THROTTLED_NOW:
        yield _warning(
            info,
            "BM307",
            f"the board is throttled now (get_throttled={info.throttled})",
            "give it a better supply or cooling",
        )
    if info.temperature_c is not None and info.temperature_c >= HOT:
        yield _warning(
            info,
            "BM310",
            f"the board is hot: {_hottest(info)}, and a Raspberry Pi slows down from 80",
            "let it cool down, or give it a heat sink",
        )
    if info.load1 > 0.5 * info.cores:
        yield _warning(
            info,
            "BM308",
            f"the board has other work: load {info.load1:g} on {info.cores} cores",
            "stop it before a benchmark",
        )


def _clocks(info: DeviceInfo) -> Iterator[Finding]:
    """Every clock counts: a board with two kinds of cores has two."""
    moving = {p.governor for p in info.policies if p.governor} - {"performance"}
    if not info.policies and info.governor not in {None, "performance"}:
        moving = {str(info.governor)}
    if moving:
        yield _warning(
            info,
            "BM309",
            f"the clock may move: governor {', '.join(sorted(moving))}",
            "set performance in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    for policy in info.policies:
        limit, able = policy.max_khz, policy.hardware_max_khz
        if limit and able and limit < able:
            yield _warning(
                info,
                "BM316",
                f"the clock of cpu {', '.join(map(str, policy.cpus))} is held at {limit} kHz of "
                f"{able}",
                "look at scaling_max_freq there: a limit that somebody set, or the firmware's",
            )


def _warning(info: DeviceInfo, code: str, message: str, hint: str) -> Finding:
    return Finding(code, Severity.WARNING, info.name, message, hint)


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
