"""The probe's answer as a value. A board is believed in nothing that its lines cannot say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from buildmatrix.device.hardware import clusters, cores_of, policies, zones
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import DeviceInfo

Answers = Mapping[str, tuple[str, ...]]  # key -> its values, in the board's order

ELF_MACHINES = {3: "EM_386", 40: "EM_ARM", 62: "EM_X86_64", 183: "EM_AARCH64", 243: "EM_RISCV"}
ELF_HEADER = re.compile(r"7f454c46[0-9a-f]{32,72}")
ARM_KERNELS = ("arm", "aarch64")
NO_ANSWER = ("",)
# e_flags of an ARM file (ELF for the Arm Architecture, 'Processor-specific flags').
FLOAT_ABIS = {0x400: "hard", 0x200: "soft"}
VERSIONED = re.compile(
    r"(\S+)/([^/\s]+) ((?:GLIBC|GLIBCXX|CXXABI|GOMP|LIBATOMIC)_\d+(?:\.\d+)*)", re.A
)


def parse(name: str, text: str, *, now: float | None = None) -> DeviceInfo:
    """Read what the probe printed, other lines apart; `now` is this machine's time then.

    Raises DeviceError when it is not that, or not complete.
    """
    answers = _answers(text)
    cpuinfo, meminfo = _pairs(answers, "cpuinfo"), dict(_pairs(answers, "meminfo"))
    memory, elf_machine = _number(meminfo.get("MemTotal", "")), _elf_machine(answers)
    if answers.get("end") != ("1",) or memory is None or not elf_machine:
        raise DeviceError(
            f"{name} did not answer the probe as a Linux board does",
            details=text[:400],
            hint="check that `ssh` to it starts a POSIX shell that prints nothing by itself",
        )
    cores = _number(_first(answers, "cores")) or cores_of(_first(answers, "online"))
    cores = cores or sum(key == "processor" for key, _ in cpuinfo)
    available = _number(meminfo.get("MemAvailable", "")) or _number(meminfo.get("MemFree", ""))
    board = DeviceInfo(
        name=name,
        model=_first(answers, "model") or dict(cpuinfo).get("Model", ""),
        kernel=_first(answers, "kernel"),
        machine=_first(answers, "machine"),
        elf_machine=elf_machine,
        cpu_parts=tuple(dict.fromkeys(value for key, value in cpuinfo if key == "CPU part")),
        features=frozenset(f for key, value in cpuinfo if key == "Features" for f in value.split()),
        cores=max(cores, 1),
        memory_kib=memory,
        memory_available_kib=available or 0,
        disk_free_kib=_disk_free(answers),
        libc=_libc(answers),
        emulated=_emulated(answers, elf_machine, cpuinfo),
        load1=_load(answers),
        clusters=clusters(answers.get("cpu", ()), cpuinfo),
    )
    return _userland(_state(board, answers, now), answers)


def _answers(text: str) -> dict[str, tuple[str, ...]]:
    answers: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            answers[key].append(value.strip())
    return {key: tuple(values) for key, values in answers.items()}


def _state(board: DeviceInfo, answers: Answers, now: float | None) -> DeviceInfo:
    """With what it is like at the moment: clocks, heat, its time."""
    clocks, warm = policies(answers.get("policy", ())), zones(answers.get("zone", ()))
    throttled = re.search(r"(?:0x)?([0-9a-fA-F]{1,8})$", _first(answers, "throttled"))
    epoch = _number(_first(answers, "epoch"))
    return replace(
        board,
        governor=(clocks[0].governor or None) if clocks else None,
        clock_khz=clocks[0].now_khz if clocks else None,
        temperature_c=max((zone.celsius for zone in warm), default=None),
        throttled=f"0x{int(throttled[1], 16):x}" if throttled else None,
        skew_s=None if now is None or epoch is None else round(epoch - now),
        policies=clocks,
        zones=warm,
    )


def _userland(board: DeviceInfo, answers: Answers) -> DeviceInfo:
    """With what programs find there: libraries, page size, where they may be put."""
    return replace(
        board,
        float_abi=_float_abi(answers, board.elf_machine),
        mount=_mount(answers),
        page_size=_page_size(_first(answers, "pagesize")),
        kernel_bits=_kernel_bits(answers),
        init=_init(_first(answers, "init")),
        home=_first(answers, "home"),
        home_exists="homedir" in answers or "home" not in answers,
        libraries=_libraries(answers),
    )


def _elf_machine(answers: Answers) -> str:
    """Machine of /bin/sh (ELF header, bytes 5 and 18-19); the kernel may have another word size."""
    header = _first(answers, "elf")
    if ELF_HEADER.fullmatch(header):
        order: Literal["big", "little"] = "big" if header[10:12] == "02" else "little"
        number = int.from_bytes(bytes.fromhex(header[36:40]), order)
        return ELF_MACHINES.get(number, f"EM_{number}")
    if _first(answers, "machine").startswith(ARM_KERNELS):
        return {"32": "EM_ARM", "64": "EM_AARCH64"}.get(_first(answers, "longbit"), "")
    return ""


def _float_abi(answers: Answers, elf_machine: str) -> str:
    """hard or soft, by the e_flags of /bin/sh (bytes 36-39, little-endian); empty: unsaid."""
    header = _first(answers, "elf")
    if elf_machine != "EM_ARM" or not ELF_HEADER.fullmatch(header) or len(header) < 80:
        return ""
    flags = int.from_bytes(bytes.fromhex(header[72:80]), "little")
    return next((abi for bit, abi in FLOAT_ABIS.items() if flags & bit), "")


def _mount(answers: Answers) -> str:
    """A line of /proc/mounts as 'POINT OPTION,OPTION'."""
    fields = _first(answers, "mount").split()
    return f"{fields[1]} {fields[3]}" if len(fields) > 3 else ""


def _libc(answers: Answers) -> str:
    """2.36, from the first of three ways that gave an answer; 'musl 1.2.3' where it is that.

    A board may have both, as Debian with its package musl: then it is glibc that bundles find.
    """
    lines = answers.get("libc", NO_ANSWER)
    for line in lines:
        if match := re.search(r"(?:glibc|release version|\)) (\d{1,3}\.\d{1,3})\b", line):
            return match[1]
    text = " ".join(lines)
    if "musl" in text:
        version = re.search(r"[Vv]ersion (\d[\d.]*)", text)
        return f"musl {version[1]}" if version else "musl"
    return ""


def _emulated(answers: Answers, elf_machine: str, cpuinfo: list[tuple[str, str]]) -> str:
    """Why a time taken there is no board's time; empty on hardware."""
    arm = elf_machine in {"EM_ARM", "EM_AARCH64"}
    keys, hardware = {key for key, _ in cpuinfo}, dict(cpuinfo).get("Hardware", "")
    kernel = _first(answers, "kernelarch")
    reasons = {
        "QEMU virt machine (linux,dummy-virt)": "linux,dummy-virt" in _first(answers, "compatible"),
        "QEMU firmware interface (fw-cfg)": bool(_first(answers, "fwcfg")),
        "QEMU in /proc/cpuinfo": "qemu" in hardware.lower(),
        "an x86 computer, no ARM board": elf_machine in {"EM_X86_64", "EM_386"},
        "ARM programs on an x86 processor (qemu-user)": arm and "vendor_id" in keys,
        f"ARM programs on a kernel for {kernel} (qemu-user)": arm
        and kernel != ""
        and not kernel.startswith(ARM_KERNELS),
    }
    return next((reason for reason, true in reasons.items() if true), "")


def _pairs(answers: Answers, key: str) -> list[tuple[str, str]]:
    """`name : value` lines of a /proc file."""
    split = (line.partition(":") for line in answers.get(key, ()))
    return [(name.strip(), value.strip()) for name, colon, value in split if colon]


def _first(answers: Answers, key: str) -> str:
    return answers.get(key, NO_ANSWER)[0]


def _number(text: str) -> int | None:
    match = re.match(r"\d{1,15}\b", text, re.ASCII)
    return int(match[0]) if match else None


def _disk_free(answers: Answers) -> int:
    fields = answers.get("disk", NO_ANSWER)[-1].split()
    return (_number(fields[3]) if len(fields) > 3 else None) or 0


def _load(answers: Answers) -> float:
    match = re.match(r"\d{1,6}(\.\d{1,6})?", _first(answers, "load"), re.ASCII)
    return float(match[0]) if match else 0.0


def _page_size(text: str) -> int | None:
    """Bytes, as getconf says them or smaps, in kB.

    >>> _page_size("16384"), _page_size("KernelPageSize:        4 kB"), _page_size("")
    (16384, 4096, None)
    """
    number = re.search(r"\d{1,9}", text, re.ASCII)
    if number is None:
        return None
    return int(number[0]) * (1024 if text.endswith("kB") else 1)


def _kernel_bits(answers: Answers) -> int | None:
    """By the width of a kernel address: uname and personality may say otherwise."""
    address = re.match(r"(?:[0-9a-f]{8}){1,2}(?= |$)", _first(answers, "symbol"))
    if address:
        return len(address[0]) * 4
    for word in (_first(answers, "kernelarch"), _first(answers, "machine")):
        if word in {"aarch64", "x86_64", "armv8l"}:
            return 64
    return 32 if _first(answers, "kernelarch").startswith("arm") else None


def _init(text: str) -> str:
    """What process 1 is, from its own name and the program that /sbin/init leads to.

    >>> _init("systemd /usr/lib/systemd/systemd"), _init("init /bin/busybox"), _init("init ")
    ('systemd', 'busybox', 'init')
    """
    name, _, program = text.partition(" ")
    return program.rpartition("/")[2] or name if name == "init" else name


def _libraries(answers: Answers) -> dict[str, tuple[str, ...]]:
    """By soname, the highest version of each prefix, of the folder that stands first.

    >>> _libraries({"library": ("/lib/x/libgomp.so.1 GOMP_5.1", "/opt/libgomp.so.1 GOMP_4.0")})
    {'libgomp.so.1': ('GOMP_5.1',)}
    """
    folders: dict[str, str] = {}
    versions: dict[str, list[str]] = defaultdict(list)
    for line in answers.get("library", ()):
        match = VERSIONED.fullmatch(line)
        if match and folders.setdefault(match[2], match[1]) == match[1]:
            versions[match[2]].append(match[3])
    return {soname: tuple(highest) for soname, highest in versions.items()}
