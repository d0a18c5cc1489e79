"""Where a board is, and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL_CORES = "all"  # of a run that is bound to none of a board's processors


@dataclass(frozen=True, slots=True)
class Meter:
    """What reads a board's power, on the board."""

    command: str  # prints watts, one number, each time it is run
    measures: str  # of what the watts are, in words: "the whole board, behind its supply"


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """Where a board answers and how its host key is pinned."""

    name: str  # what people call it: pi3
    host: str
    port: int = 0  # 0: what the ssh configuration says, else 22
    user: str = ""  # empty: what the ssh configuration says, else pi
    host_key: str = ""  # "SHA256:…"; empty means not pinned, so refused
    identity_file: str = ""  # private key; empty means agent and default keys
    virtual: bool = False  # made by `device up`
    quota_mib: int = 0  # that deploys may use there; 0: no limit
    power: Meter | None = None  # None: nothing reads its power
    cycle: str = ""  # a command of this machine that switches the board off and on


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """Processors that share one clock, as cpufreq has them; None is 'it does not say'."""

    cpus: tuple[int, ...]
    governor: str
    now_khz: int | None = None
    min_khz: int | None = None  # limits that are set now
    max_khz: int | None = None
    hardware_max_khz: int | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Processors of one kind; a big.LITTLE board has several."""

    cpus: tuple[int, ...]
    part: str  # 0xd03
    capacity: int | None = None  # of 1024, beside the board's strongest
    max_khz: int | None = None


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """A place whose temperature the kernel knows."""

    kind: str  # cpu-thermal
    celsius: float


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the board said it is. Sizes in KiB, clock in kHz; None is 'the board does not say'."""

    name: str
    model: str  # /proc/device-tree/model
    kernel: str
    machine: str  # uname -m; says nothing about the userland
    elf_machine: str  # of the userland: EM_ARM, EM_AARCH64
    cpu_parts: tuple[str, ...]  # 0xd03 once per kind of core
    features: frozenset[str]  # as /proc/cpuinfo lists them
    cores: int
    memory_kib: int
    memory_available_kib: int
    disk_free_kib: int
    libc: str  # 2.36
    emulated: str  # empty on hardware; else what gave it away
    load1: float
    governor: str | None = None  # of the first clock; `policies` has all
    clock_khz: int | None = None
    temperature_c: float | None = None  # of the hottest zone
    throttled: str | None = None
    float_abi: str = ""  # of the userland: hard, soft, or empty where it does not say
    mount: str = ""  # the file system that bundles go to: '/home rw,noexec'
    skew_s: float | None = None  # its clock less ours, seconds
    page_size: int | None = None  # bytes
    kernel_bits: int | None = None  # 32 or 64, whatever uname says
    init: str = ""  # systemd, busybox, …
    home: str = ""  # of the user who logs in
    home_exists: bool = True
    # its own copies, as in AuditPolicy: libstdc++.so.6 -> GLIBCXX_3.4.30, CXXABI_1.3.13
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: tuple[Cluster, ...] = ()
    policies: tuple[ClockPolicy, ...] = ()
    zones: tuple[ThermalZone, ...] = ()
