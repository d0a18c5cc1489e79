"""What a board says it is, and whether a bundle may go there.

One POSIX script asks everything in one round trip; reading its answer and judging it are pure.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from buildmatrix.audit import judge
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import (
    FPU_RANK,
    AuditPolicy,
    DeviceInfo,
    Finding,
    Severity,
    version_tuple,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import ElfFacts, Target
    from buildmatrix.protocols import Connection

# Every line is key=value, a key may come again, the last line is end=1. Busybox is enough; a
# question that a board cannot answer leaves its value empty. It goes over the wire at every deploy:
# only what is read below is sent, and at once, because sshd wraps each write. `.buildmatrix` is
# agent.PREFIX, of a layer above.
PROBE = r"""
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/opt/vc/bin"
say() { printf '%s=%s\n' "$1" "$2"; }
each() { sed "s|^|$1=|"; }
tree=/proc/device-tree
cpu=/sys/devices/system/cpu/cpu0/cpufreq
firmware=/sys/devices/platform/soc/soc:firmware
said=$({
say model "$(tr -d '\000' <$tree/model)"
say compatible "$(tr '\000' ' ' <$tree/compatible)"
say fwcfg "$(ls -d $tree/fw-cfg*)"
say kernel "$(uname -sr)"
say machine "$(uname -m)"
say kernelarch "$(cat /proc/sys/kernel/arch)"
say elf "$( (od -An -v -tx1 -N40 /bin/sh || hexdump -v -n40 -e '1/1 "%02x"' /bin/sh) | tr -d ' \n')"
say longbit "$(getconf LONG_BIT)"
say cores "$(getconf _NPROCESSORS_ONLN || nproc)"
getconf GNU_LIBC_VERSION | each libc
ldd --version 2>&1 | head -n 2 | each libc
for file in /lib/*-linux-gnu*/libc.so.6 /lib/libc.so.6; do
  [ -x $file ] && $file | head -n 1 | each libc
done
grep -E '^(processor|vendor_id|Features|CPU part|Hardware|Model)' /proc/cpuinfo | each cpuinfo
grep '^Mem' /proc/meminfo | each meminfo
there=$HOME/.buildmatrix
[ -d "$there" ] || there=${HOME:-/}
df -P -k "$there/" | each disk
set -- $(df -P -k "$there/" | tail -n 1)
say mount "$(grep -F " $6 " /proc/mounts | tail -n 1)"
say load "$(cat /proc/loadavg)"
say governor "$(cat $cpu/scaling_governor)"
say clock "$(cat $cpu/scaling_cur_freq)"
say temperature "$(cat /sys/class/thermal/thermal_zone0/temp)"
say throttled "$(vcgencmd get_throttled || cat $firmware/get_throttled)"
say epoch "$(date +%s)"
} 2>/dev/null)
printf '%s\nend=1\n' "$said"
"""

ELF_MACHINES = {3: "EM_386", 40: "EM_ARM", 62: "EM_X86_64", 183: "EM_AARCH64", 243: "EM_RISCV"}
ELF_HEADER = re.compile(r"7f454c46[0-9a-f]{32,72}")
ARM_KERNELS = ("arm", "aarch64")
NO_ANSWER = ("",)

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
# e_flags of an ARM file (ELF for the Arm Architecture, 'Processor-specific flags').
FLOAT_ABIS = {0x400: "hard", 0x200: "soft"}
# What the audit says of a file, held against the board, that explains what the gate says.
EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "BM301": ("BM101",),
    "BM302": ("BM111", "BM112"),
    "BM303": ("BM130",),
    "BM311": ("BM103",),
}
THROTTLED_NOW = 0xF  # bits 0-3: under-voltage, capped, throttled, soft limit; 16-19: has been


def probe(connection: Connection, name: str, *, timeout: float = 30) -> DeviceInfo:
    """Ask the board `name`; LinkLost when it does not answer, DeviceError when not a Linux."""
    result = connection.run(PROBE, timeout=timeout)
    return parse(name, result.stdout.decode(errors="replace"), now=time.time())


def parse(name: str, text: str, *, now: float | None = None) -> DeviceInfo:
    """Read what PROBE printed, other lines apart; `now` is this machine's time then.

    Raises DeviceError when it is not that, or not complete.
    """
    said: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            said[key] = (*said.get(key, ()), value.strip())
    cpuinfo, meminfo = _pairs(said, "cpuinfo"), dict(_pairs(said, "meminfo"))
    memory = _number(meminfo.get("MemTotal", ""))
    elf_machine = _elf_machine(said)
    if said.get("end") != ("1",) or memory is None or not elf_machine:
        raise DeviceError(
            f"{name} did not answer the probe as a Linux board does",
            details=text[:400],
            hint="check that `ssh` to it starts a POSIX shell that prints nothing by itself",
        )
    cores = _number(_first(said, "cores")) or sum(key == "processor" for key, _ in cpuinfo)
    available = _number(meminfo.get("MemAvailable", "")) or _number(meminfo.get("MemFree", ""))
    throttled = re.search(r"(?:0x)?([0-9a-fA-F]{1,8})$", _first(said, "throttled"))
    temperature = _number(_first(said, "temperature"))
    epoch = _number(_first(said, "epoch"))
    return DeviceInfo(
        name=name,
        model=_first(said, "model") or dict(cpuinfo).get("Model", ""),
        kernel=_first(said, "kernel"),
        machine=_first(said, "machine"),
        elf_machine=elf_machine,
        cpu_parts=tuple(dict.fromkeys(value for key, value in cpuinfo if key == "CPU part")),
        features=frozenset(f for key, value in cpuinfo if key == "Features" for f in value.split()),
        cores=max(cores, 1),
        memory_kib=memory,
        memory_available_kib=available or 0,
        disk_free_kib=_disk_free(said),
        libc=_libc(said),
        emulated=_emulated(said, elf_machine, cpuinfo),
        load1=_load(said),
        governor=_first(said, "governor") or None,
        clock_khz=_number(_first(said, "clock")),
        temperature_c=temperature / 1000 if temperature is not None else None,
        throttled=f"0x{int(throttled[1], 16):x}" if throttled else None,
        float_abi=_float_abi(said, elf_machine),
        mount=_mount(said),
        skew_s=None if now is None or epoch is None else round(epoch - now),
    )


def unfit(info: DeviceInfo, target: Target, *, needs_kib: int) -> tuple[Finding, ...]:
    """The gate: what speaks against running a bundle for `target` there.

    A finding with Severity.ERROR means 'do not upload'; the others, 'a time measured now is
    doubtful'. `needs_kib` is the room that the bundle takes on the board's disk.
    """
    return (*_obstacles(info, target, needs_kib), *_doubts(info))


def meant_for(info: DeviceInfo, machines: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a matrix for several machines that are for this board's; `machines` is by cell.

    All of them where none is: then the gate says what is wrong.
    """
    found = tuple(cell for cell, machine in machines.items() if machine == info.elf_machine)
    return found or tuple(machines)


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


def _obstacles(info: DeviceInfo, target: Target, needs_kib: int) -> Iterator[Finding]:
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
    if info.libc and version_tuple(info.libc) < version_tuple(target.libc_floor):
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
    def warning(code: str, message: str, hint: str) -> Finding:
        return Finding(code, Severity.WARNING, info.name, message, hint)

    if not info.libc:
        yield warning(
            "BM305", "the board does not say its libc", "see that `getconf GNU_LIBC_VERSION` works"
        )
    if not info.features:
        yield warning(
            "BM306",
            "the board lists no ARM CPU features, the bundle's need of NEON is unchecked",
            "look at /proc/cpuinfo there",
        )
    if info.skew_s is not None and abs(info.skew_s) > SKEW:
        way = "ahead of" if info.skew_s > 0 else "behind"
        yield warning(
            "BM314",
            f"the board's clock is {_span(abs(info.skew_s))} {way} this machine's",
            "let it find the time (timedatectl set-ntp true), or set it with date as root",
        )
    if info.throttled is not None and int(info.throttled, 16) & THROTTLED_NOW:
        yield warning(
            "BM307",
            f"the board is throttled now (get_throttled={info.throttled})",
            "give it a better supply or cooling",
        )
    if info.temperature_c is not None and info.temperature_c >= HOT:
        yield warning(
            "BM310",
            f"the board is hot: {info.temperature_c:.0f} °C, and a Raspberry Pi slows down from 80",
            "let it cool down, or give it a heat sink",
        )
    if info.load1 > 0.5 * info.cores:
        yield warning(
            "BM308",
            f"the board has other work: load {info.load1:g} on {info.cores} cores",
            "stop it before a benchmark",
        )
    if info.governor not in {None, "performance"}:
        yield warning(
            "BM309",
            f"the clock may move: governor {info.governor}",
            "set performance in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )


def _missing(info: DeviceInfo, fpu: str) -> tuple[str, ...]:
    """Features that code for `fpu` needs and an AArch32 program does not find there."""
    if not info.features:
        return ()
    has = info.features.union(*(IMPLIED.get(feature, ()) for feature in info.features))
    return tuple(" or ".join(group) for group in FPU_NEEDS[fpu] if not has & {*group})


def _elf_machine(said: Mapping[str, tuple[str, ...]]) -> str:
    """Machine of /bin/sh (ELF header, bytes 5 and 18-19); the kernel may have another word size."""
    header = _first(said, "elf")
    if ELF_HEADER.fullmatch(header):
        order: Literal["big", "little"] = "big" if header[10:12] == "02" else "little"
        number = int.from_bytes(bytes.fromhex(header[36:40]), order)
        return ELF_MACHINES.get(number, f"EM_{number}")
    if _first(said, "machine").startswith(ARM_KERNELS):
        return {"32": "EM_ARM", "64": "EM_AARCH64"}.get(_first(said, "longbit"), "")
    return ""


def _float_abi(said: Mapping[str, tuple[str, ...]], elf_machine: str) -> str:
    """hard or soft, by the e_flags of /bin/sh (bytes 36-39, little-endian); empty: unsaid."""
    header = _first(said, "elf")
    if elf_machine != "EM_ARM" or not ELF_HEADER.fullmatch(header) or len(header) < 80:
        return ""
    flags = int.from_bytes(bytes.fromhex(header[72:80]), "little")
    return next((abi for bit, abi in FLOAT_ABIS.items() if flags & bit), "")


def _mount(said: Mapping[str, tuple[str, ...]]) -> str:
    """A line of /proc/mounts as 'POINT OPTION,OPTION'."""
    fields = _first(said, "mount").split()
    return f"{fields[1]} {fields[3]}" if len(fields) > 3 else ""


def _span(seconds: float) -> str:
    """
    >>> _span(90), _span(7200), _span(3e6)
    ('90 s', '2 h', '35 days')
    """
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _libc(said: Mapping[str, tuple[str, ...]]) -> str:
    """2.36, from the first of three ways that gave an answer; 'musl 1.2.3' where it is that."""
    lines = said.get("libc", NO_ANSWER)
    text = " ".join(lines)
    if "musl" in text:
        version = re.search(r"[Vv]ersion (\d[\d.]*)", text)
        return f"musl {version[1]}" if version else "musl"
    for line in lines:
        if match := re.search(r"(?:glibc|release version|\)) (\d{1,3}\.\d{1,3})\b", line):
            return match[1]
    return ""


def _emulated(
    said: Mapping[str, tuple[str, ...]], elf_machine: str, cpuinfo: list[tuple[str, str]]
) -> str:
    """Why a time taken there is no board's time; empty on hardware."""
    arm = elf_machine in {"EM_ARM", "EM_AARCH64"}
    keys, hardware = {key for key, _ in cpuinfo}, dict(cpuinfo).get("Hardware", "")
    kernel = _first(said, "kernelarch")
    reasons = {
        "QEMU virt machine (linux,dummy-virt)": "linux,dummy-virt" in _first(said, "compatible"),
        "QEMU firmware interface (fw-cfg)": bool(_first(said, "fwcfg")),
        "QEMU in /proc/cpuinfo": "qemu" in hardware.lower(),
        "an x86 computer, no ARM board": elf_machine in {"EM_X86_64", "EM_386"},
        "ARM programs on an x86 processor (qemu-user)": arm and "vendor_id" in keys,
        f"ARM programs on a kernel for {kernel} (qemu-user)": arm
        and kernel != ""
        and not kernel.startswith(ARM_KERNELS),
    }
    return next((reason for reason, true in reasons.items() if true), "")


def _pairs(said: Mapping[str, tuple[str, ...]], key: str) -> list[tuple[str, str]]:
    """`name : value` lines of a /proc file."""
    split = (line.partition(":") for line in said.get(key, ()))
    return [(name.strip(), value.strip()) for name, colon, value in split if colon]


def _first(said: Mapping[str, tuple[str, ...]], key: str) -> str:
    return said.get(key, NO_ANSWER)[0]


def _number(text: str) -> int | None:
    match = re.match(r"\d{1,15}\b", text, re.ASCII)
    return int(match[0]) if match else None


def _disk_free(said: Mapping[str, tuple[str, ...]]) -> int:
    fields = said.get("disk", NO_ANSWER)[-1].split()
    return (_number(fields[3]) if len(fields) > 3 else None) or 0


def _load(said: Mapping[str, tuple[str, ...]]) -> float:
    match = re.match(r"\d{1,6}(\.\d{1,6})?", _first(said, "load"), re.ASCII)
    return float(match[0]) if match else 0.0
