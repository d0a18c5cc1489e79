"""The kinds of virtual boards, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

CLOUD = "linux-image-cloud-arm64:arm64"  # virtio and the PMU, a third of the full kernel's size
ARMMP = "linux-image-armmp:armhf"


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of virtual board: its hardware, its kernel, and what runs above it."""

    name: str
    summary: str  # what it is for
    memory_mib: int
    root: Literal["armhf", "arm64", "amd64"]  # which file system is its disk
    kernel: str = ""  # Debian's package and architecture; none: a container, the host's kernel
    cpu: str = ""
    cores: int = 0
    model: str = ""  # as /proc/device-tree/model says it
    compatible: tuple[str, ...] = ()
    userland: Literal["debian", "busybox", "dropbear", "musl"] = "debian"
    personality: Literal["", "linux32"] = ""  # of sshd and all that it starts, see setarch(8)
    arguments: tuple[str, ...] = ()


PI3 = Kind(
    name="pi3",
    summary="Raspberry Pi 3: four Cortex-A53, 1 GB, 32-bit; uname -m says armv8l",
    memory_mib=1024,
    root="armhf",
    kernel=CLOUD,
    cpu="cortex-a53",
    cores=4,
    model="Raspberry Pi 3 Model B Rev 1.2",
    compatible=("raspberrypi,3-model-b", "brcm,bcm2837"),
    personality="linux32",
)
PI4_64 = Kind(
    name="pi4-64",
    summary="Raspberry Pi 4: four Cortex-A72, 2 GB, 64-bit programs",
    memory_mib=2048,
    root="arm64",
    kernel=CLOUD,
    cpu="cortex-a72",
    cores=4,
    model="Raspberry Pi 4 Model B Rev 1.4",
    compatible=("raspberrypi,4-model-b", "brcm,bcm2711"),
)
# Under -icount the guest's PMU counts instructions exactly, also with many threads, because one
# virtual core schedules them the same way each time; guest time becomes 1 ns an instruction.
# The real Pi 2 has four cores; four take the 32-bit kernel up to 80 s to start on two host cores.
COUNTED = ("-icount", "shift=0,sleep=on")
ALL = (
    PI3,
    replace(
        PI3,
        name="pi3-counted",
        summary="a Pi 3 with one core that counts executed instructions exactly",
        cores=1,
        arguments=COUNTED,
    ),
    replace(
        PI3,
        name="pi3-64",
        summary="a Pi 3 whose 64-bit kernel shows: uname -m says aarch64, programs are 32-bit",
        personality="",
    ),
    replace(
        PI3,
        name="pi3-busybox",
        summary="a Pi 3 with busybox and libc alone: no coreutils, bash, perl or getconf",
        userland="busybox",
    ),
    replace(
        PI3,
        name="pi3-dropbear",
        summary="a Pi 3 with busybox, libc and dropbear alone, as most small boards are",
        userland="dropbear",
    ),
    replace(
        PI3,
        name="pi3-musl",
        summary="a Pi 3 with busybox, dropbear and musl, as Alpine has it: no glibc is found there",
        userland="musl",
    ),
    Kind(
        name="pi2",
        summary="Raspberry Pi 2: two of its four Cortex-A7; code for the Pi 3 alone dies there",
        memory_mib=1024,
        root="armhf",
        kernel=ARMMP,
        cpu="cortex-a7",
        cores=2,
        model="Raspberry Pi 2 Model B Rev 1.1",
        compatible=("raspberrypi,2-model-b", "brcm,bcm2836"),
    ),
    PI4_64,
    replace(
        PI4_64,
        name="pi4-64-counted",
        summary="a Pi 4 with one core that counts executed instructions exactly",
        cores=1,
        arguments=COUNTED,
    ),
    Kind(
        name="container",
        summary="a Pi 3's userland in Docker, on this machine's kernel and cores: no boot",
        memory_mib=1024,
        root="armhf",
    ),
    Kind(
        name="host",
        summary="no ARM at all: this x86-64 machine's own kind in Docker, to prove engines on",
        memory_mib=4096,
        root="amd64",
    ),
)
KINDS = {kind.name: kind for kind in ALL}
