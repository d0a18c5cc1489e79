"""`inv audit PATH`: what a stray ELF tree lacks on any Raspberry Pi, and nothing that it has."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from buildmatrix.pipeline.auditing import audit_path
from buildmatrix.pipeline.baselines import named
from tests import elf_factory as factory

if TYPE_CHECKING:
    from pathlib import Path

# DT_NEEDED and DT_SONAME of the two libraries in MXNet 1.9.1's aarch64 wheel, by readelf.
LIBMXNET = (
    "libdl.so.2",
    "libarmpl_lp64_mp.so",
    "libamath.so",
    "libastring.so",
    "libgfortran.so.5",
    "librt.so.1",
    "libpthread.so.0",
    "libm.so.6",
    "libgomp.so.1",
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libc.so.6",
    "ld-linux-aarch64.so.1",
)
LIBGFORTRAN = ("libz.so.1", "libm.so.6", "libgcc_s.so.1", "libc.so.6", "ld-linux-aarch64.so.1")


BRIDGES = ("libamath.so", "libarmpl_lp64_mp.so", "libastring.so")


def wheel(folder: Path) -> Path:
    for soname, needed in (("libmxnet.so", LIBMXNET), ("libgfortran.so.5", LIBGFORTRAN)):
        image = factory.make(machine="EM_AARCH64", soname=soname, needed=needed)
        (folder / soname).write_bytes(image)
    return folder


def test_the_bare_wheel_lacks_the_three_libraries_of_arm(tmp_path: Path) -> None:
    findings = audit_path(wheel(tmp_path))["findings"]
    assert [(f["code"], f["file"], f["message"].split(",")[0]) for f in findings] == [
        ("BM140", "libmxnet.so", f"needs {name}") for name in BRIDGES
    ]


def test_with_them_beside_it_nothing_is_missing(tmp_path: Path) -> None:
    wheel(tmp_path)
    for name in BRIDGES:
        (tmp_path / name).write_bytes(factory.make(machine="EM_AARCH64", soname=name))
    assert audit_path(tmp_path)["findings"] == []


def test_what_the_loader_starts_is_no_error_in_other_peoples_files(tmp_path: Path) -> None:
    """As PyTorch 1.9.0's wheel, RPATH /root/miniforge3/lib:$ORIGIN/lib, and LiteRT 2.3.0's."""
    (tmp_path / "_C.so").write_bytes(
        factory.make(machine="EM_AARCH64", rpath="/root/miniforge3/lib:$ORIGIN/lib")
    )
    (tmp_path / "stack.so").write_bytes(factory.make(machine="EM_AARCH64", stack="rwx"))
    findings = audit_path(tmp_path)["findings"]
    assert [(f["code"], f["severity"]) for f in findings] == [
        ("BM150", "warning"),
        ("BM160", "warning"),
    ]


@pytest.mark.parametrize(("number", "name"), [(183, "EM_AARCH64 (ILP32)"), (62, "EM_X86_64 (x32)")])
def test_code_with_narrow_addresses_is_for_another_machine(
    tmp_path: Path, number: int, name: str
) -> None:
    """As gcc -mabi=ilp32 and -mx32 write it: the class of 32-bit files, a 64-bit machine."""
    image = bytearray(factory.make(attributes=None))
    struct.pack_into("<H", image, 18, number)
    (tmp_path / "narrow.so").write_bytes(image)
    (finding,) = audit_path(tmp_path, named("pi4-64", tmp_path))["findings"]
    assert (finding["code"], finding["severity"]) == ("BM101", "error")
    assert finding["message"] == f"built for {name}, the target is EM_AARCH64"
