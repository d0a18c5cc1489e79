"""Reads what an ELF file says about itself; nothing is executed, nothing is judged.

attributes   .ARM.attributes and header flags    dynamic    needs, versions, BLAS, stack
neon         the code itself                     switches   what the compiler wrote down
archive      members of static libraries         sections   tables that lie inside the file
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from elftools.elf.elffile import ELFFile

from buildmatrix.elf import archive
from buildmatrix.elf.attributes import (
    CPU_ARCH,
    FP_ARCH,
    SIMD_ARCH,
    VFP_ARGS_IN_REGISTERS,
    attributes,
    float_abi,
    word,
)
from buildmatrix.elf.dynamic import blas, dynamic, executable_stack, highest, versions
from buildmatrix.elf.neon import neon_instructions
from buildmatrix.elf.sections import FAULTS, check_tables
from buildmatrix.elf.switches import machine_switches
from buildmatrix.errors import AuditError, InputError
from buildmatrix.nouns import ElfFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"\x7fELF"


def is_elf(path: Path) -> bool:
    return _begins_with(path, MAGIC)


def read_tree(root: Path) -> tuple[ElfFacts, ...]:
    """Facts of every ELF file below `root`, named relative to it, sorted; symlinks not followed.

    Raises AuditError for a file that begins like ELF, or like a static library, and is none.
    """
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    found = (facts for p in files for facts in _found(p, p.relative_to(root).as_posix()))
    return tuple(found)


def read_file(path: Path, name: str) -> tuple[ElfFacts, ...]:
    """Facts of a file, or of the objects in a static library, each as `NAME(MEMBER)`.

    Raises as `read` does.
    """
    data = _bytes(path, name)
    if not archive.is_archive(data):
        return (_read(data, name),)
    return tuple(_objects(data, name))


def read(path: Path, name: str) -> ElfFacts:
    """Facts of one file, shown as `name`. Raises InputError (no file), AuditError (broken ELF)."""
    return _read(_bytes(path, name), name)


def _found(path: Path, name: str) -> tuple[ElfFacts, ...]:
    wanted = is_elf(path) or any(_begins_with(path, magic) for magic in archive.MAGICS)
    return read_file(path, name) if wanted else ()


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _bytes(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(
            f"cannot be read: {exc.strerror}", where=name, hint="check the path"
        ) from exc


def _objects(data: bytes, name: str) -> Iterator[ElfFacts]:
    try:
        members = list(archive.members(data))
    except ValueError as exc:
        raise AuditError(
            "is not a whole static library",
            where=name,
            details=str(exc),
            hint="build or copy it again; `ar t` shows where it breaks",
        ) from exc
    for member, content in members:
        if content.startswith(MAGIC):
            yield _read(content, f"{name}({member})")


def _read(data: bytes, name: str) -> ElfFacts:
    try:
        return _facts(ELFFile(io.BytesIO(data)), name, len(data))
    except FAULTS as exc:
        raise AuditError(
            "is not a whole ELF file",
            where=name,
            details=str(exc),
            hint="build or copy it again; `readelf -aW` shows where it breaks",
        ) from exc


def _facts(elf: ELFFile, name: str, size: int) -> ElfFacts:
    check_tables(elf, size)
    arm = elf["e_machine"] == "EM_ARM"
    flags = elf["e_flags"]
    tags = attributes(elf) if arm else {}
    linked = dynamic(elf)
    needed_versions = tuple(versions(elf))
    return ElfFacts(
        file=name,
        machine=str(elf["e_machine"]) + ("" if elf.little_endian else " (big-endian)"),
        elf_type=str(elf["e_type"]),
        eabi=flags >> 24 if arm else 0,
        float_abi=float_abi(flags, tags) if arm else "unspecified",
        cpu_arch=word(CPU_ARCH, tags.get("TAG_CPU_ARCH")),
        fp_arch=word(FP_ARCH, tags.get("TAG_FP_ARCH")),
        simd=word(SIMD_ARCH, tags.get("TAG_ADVANCED_SIMD_ARCH")),
        vfp_args=tags.get("TAG_ABI_VFP_ARGS") == VFP_ARGS_IN_REGISTERS,
        soname=linked.soname,
        needed=linked.needed,
        rpath=linked.rpath,
        glibc_max=highest("GLIBC_", needed_versions),
        glibcxx_max=highest("GLIBCXX_", needed_versions),
        executable_stack=executable_stack(elf),
        neon_instructions=neon_instructions(elf),
        text_relocations=linked.text_relocations,
        machine_switches=machine_switches(elf),
        blas=blas(elf),
    )
