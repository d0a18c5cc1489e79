"""The plugin of QEMU that counts blocks of code: compiled here, asked over its socket."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import host

SOURCE = Path(__file__).with_name("blocks.c")
PROGRAMS = {"cc": "gcc libc6-dev", "c++filt": "binutils"}
QEMU = "qemu-system-aarch64"
LONG = 120.0  # seconds that an answer may take


def compiled(folder: Path) -> str:
    """QEMU's -plugin argument for a plugin built in `folder`, whose socket is there too.

    Raises DeviceError where the compiler is missing or does not take it, or QEMU does not.
    """
    host.require(PROGRAMS)
    library = folder / "blocks.so"
    flags = ("-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread")
    host.run(["cc", *flags, "-o", str(library), str(SOURCE), "-ldl"])
    take(f"{library},socket={folder / 'tried'}")
    return f"{library},socket={folder / 'blocks'}"


def qemu() -> str:
    """The first line of what QEMU says of its version."""
    return host.run([QEMU, "--version"]).decode(errors="replace").partition("\n")[0]


def take(argument: str) -> None:
    """Start QEMU without a machine, because only it knows which plugins it takes: one may be built
    without any, and each speaks a range of versions of the interface.

    Raises DeviceError, with what QEMU said, where it does not take this one.
    """
    host.require({QEMU: host.PACKAGES[QEMU]})
    quiet = ("-M", "none", "-display", "none", "-serial", "none", "-monitor", "stdio")
    try:
        host.run([QEMU, *quiet, "-plugin", argument], stdin=b"quit\n", timeout=60)
    except DeviceError as error:
        raise DeviceError(
            f"{qemu()} does not take our plugin, so nothing can be counted with it",
            details=error.details,
            hint="put QEMU 7.2 (Debian 12) or 10.0 (Debian 13) first in PATH",
        ) from None


def ask(folder: Path) -> str:
    """What ran since the last question. Raises DeviceError when nobody answers."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as peer, contextlib.ExitStack() as opened:
        # by descriptor, because the path of a socket may have 107 bytes only
        directory = os.open(folder, os.O_RDONLY)
        opened.callback(os.close, directory)
        peer.settimeout(LONG)
        try:
            peer.connect(f"/proc/self/fd/{directory}/blocks")
            while block := peer.recv(1 << 16):
                answer += block
        except OSError as error:
            raise DeviceError(f"the counting plugin of QEMU does not answer: {error}") from None
    return answer.decode()


def demangled(names: list[str]) -> dict[str, str]:
    """C++ names as they were written, by symbol; any other name is as it was."""
    lines = host.run(["c++filt"], stdin="\n".join(names).encode()).decode().splitlines()
    return dict(zip(names, lines, strict=True))
