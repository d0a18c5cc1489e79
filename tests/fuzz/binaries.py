"""Programs, libraries, and the archives that they come in."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from functools import cache
from typing import TYPE_CHECKING

from buildmatrix import audit, elf
from buildmatrix.errors import BuildError
from buildmatrix.imported import lite
from buildmatrix.nouns import AuditPolicy, Target
from buildmatrix.sources import archive, layout
from tests import elf_factory
from tests.fuzz.reader import Reader
from tests.unit import test_imported_lite

if TYPE_CHECKING:
    from pathlib import Path

POLICIES = (
    AuditPolicy(Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon", "hard", "2.36")),
    AuditPolicy(Target("aarch64-linux-gnu", "EM_AARCH64", "armv8-a", "", "", "2.36")),
)


@cache
def images() -> tuple[bytes, ...]:
    make = elf_factory.make
    return (
        make(attributes=elf_factory.NEON, text=(("$a", elf_factory.A32_VMLA_Q * 20),)),
        make(text=(("$t", elf_factory.T32_VMLA_Q), ("$d", b"1234")), symbols="functions"),
        make(machine="EM_AARCH64", text=(("$x", elf_factory.A64_FMLA_4S * 9),)),
        make(needed=("libm.so.6",), runpath="$ORIGIN", versions={"libc.so.6": ("GLIBC_2.4",)}),
        make(elf_type="ET_REL", producer="GNU C 12 -O2", command_line=("-march=native",)),
        make(exports=("sgemm_", "f"), hidden=("g",), symbols="none", soname="libx.so"),
        elf_factory.headerless(needed=("libc.so.6",), runpath="/x", asks=("f", "g")),
    )


@cache
def archives() -> tuple[bytes, ...]:
    """A tar plain and packed in two ways, a wheel, a Debian package."""
    tarred, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        for name, content in {"top/a.so": images()[0], "top/b": b"text" * 99}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("top/l")
        link.type, link.linkname = tarfile.SYMTYPE, "b"
        tar.addfile(link)
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("p/a.so", images()[2])
        wheel.writestr("p/b.py", "x = 1\n" * 50)
    plain = tarred.getvalue()
    debian = {"debian-binary": b"2.0\n", "data.tar.xz": lzma.compress(plain)}
    deb = b"!<arch>\n" + b"".join(elf_factory.member(*member) for member in debian.items())
    return (plain, gzip.compress(plain), lzma.compress(plain), zipped.getvalue(), deb)


def _static() -> bytes:
    return elf_factory.ar({"a.o": images()[4], "a-name-that-is-a-long-one.o": images()[0]})


def _unpacked(data: bytes, folder: Path) -> None:
    (folder / "a").write_bytes(data)
    archive.unpack(folder / "a", folder / "out", on_error=BuildError)


def _audited(data: bytes, folder: Path) -> list[object]:
    (folder / "x.so").write_bytes(data)
    tree = elf.survey_file(folder / "x.so")
    return [audit.judge_tree(tree, policy) for policy in POLICIES]


def _package(data: bytes, folder: Path) -> None:
    (folder / "x").write_bytes(data)
    if layout.is_archive(folder / "x"):
        layout.lay_out(folder / "x", folder / "out", elf.MAGICS)
        audit.judge_tree(elf.survey(folder / "out"), POLICIES[0])


def _network(data: bytes, folder: Path) -> object:
    (folder / "net.tflite").write_bytes(data)
    return lite.loaded(folder / "net.tflite")


READERS = (
    Reader("archive", archives, _unpacked),
    Reader("package", archives, _package),
    Reader("tflite", lambda: (test_imported_lite.WHOLE,), _network),
    Reader("elf", lambda: (*images(), _static()), _audited),
)
