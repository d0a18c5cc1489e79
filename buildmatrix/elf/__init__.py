"""Reads what an ELF file says about itself; nothing is executed, nothing is judged.

tables       headers, sections, rows            attributes   .ARM.attributes and header flags
dynamic      libraries, paths, stack            versions     what is needed and defined
symbols      names asked for and offered        relocations  what the loader must do
code         what a run needs of the CPU     switches     what the compiler wrote down
hits         instructions that need something   units        how each source was compiled
leads        functions that lead to others      compiled     sources compiled for a processor
branches     all branches of a file at once     callers      who may come to an instruction
marks        which bytes are instructions       rows        symbols as arrays
calls        time_t and dlopen                  archive      members of static libraries
headerless   files whose section headers are gone
sections     tables lie inside the file         segments     and sections in what is mapped
started      what the loader calls by a list    unasked      weak functions that are called
facts        all of it, for one file
texts        names of symbols in the file names        any bytes as text
contents     one file on disk, whatever it is     packages     files that are not read
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.elf import contents, packages
from buildmatrix.elf.names import path_text
from buildmatrix.elf.tables import MAGIC
from buildmatrix.errors import AuditError, InputError
from buildmatrix.nouns import ElfFacts, ElfTree, OddFile, Oddity

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGICS = (*contents.MAGICS, *packages.MAGICS)  # of the files that an audit says something of
EXECUTABLE = 0o111  # the mode's bits of which Linux asks one for, of root as well
LIBRARY = re.compile(r"\.so(\.\d+)*$")
LOADER_FOLDERS = ("usr/lib", "usr/bin", "usr/sbin", "lib/arm-linux-gnueabihf")


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def survey(root: Path) -> ElfTree:
    """Everything below a folder that an audit looks at; symlinks are kept as such, not followed.

    Nothing that a file holds stops it: what cannot be read is in `odd`.
    """
    files, links, folders, special = _walk(root)
    read: list[contents.Content] = []
    decoys = {name for name in special if LIBRARY.search(name)}
    unexecutable: set[str] = set()
    for path in files:
        name = path_text(path.relative_to(root).as_posix())
        try:
            start = contents.beginning(path)
            if contents.is_ours(start):
                read += contents.contents(path, name, root)
                if not path.stat().st_mode & EXECUTABLE:
                    unexecutable.add(name)
            elif kind := packages.form(path.name, start)[0]:
                details = f"{kind}, which is not read: unpack it and audit the folder"
                read.append(OddFile(name, Oddity.UNREAD, details))
            elif LIBRARY.search(path.name):
                decoys.add(name)
        except OSError as exc:
            read.append(OddFile(name, Oddity.DAMAGED, f"cannot be read: {exc.strerror}"))
    tree = _tree(read, links, folders)
    return replace(tree, decoys=frozenset(decoys), unexecutable=frozenset(unexecutable))


def survey_file(path: Path) -> ElfTree:
    """One file, as a tree in which it stands alone. Raises InputError where it is no ELF file."""
    try:
        start = contents.beginning(path)
        if contents.is_ours(start):
            return _tree(list(contents.contents(path, path_text(path.name))))
    except OSError as exc:
        raise InputError(
            f"cannot be read: {exc.strerror}", where=path_text(path), hint="check the path"
        ) from exc
    kind, tool = packages.form(path.name, start)
    if kind:
        raise InputError(
            f"{kind}, which is not read",
            where=path_text(path),
            hint=f"unpack it ({tool}) and audit the folder",
        )
    raise InputError(
        "no ELF file",
        where=path_text(path),
        hint="name a program, a library, a static library, or a folder of them",
    )


def read_tree(root: Path) -> tuple[ElfFacts, ...]:
    """Facts of every ELF file below `root`, named relative to it, sorted; symlinks not followed.

    Raises AuditError for a file that begins like ELF, or like a static library, and is none.
    """
    return _whole(survey(root))


def read_file(path: Path, name: str) -> tuple[ElfFacts, ...]:
    """Facts of a file, or of the objects in a static library, each as `NAME(MEMBER)`.

    Raises as `read` does.
    """
    return _whole(_read(path, name))


def read(path: Path, name: str) -> ElfFacts:
    """Facts of one file, shown as `name`. Raises InputError (no file), AuditError (broken ELF, or
    no program and no library)."""
    tree = _read(path, name)
    facts = _whole(tree)
    if len(facts) != 1:
        details = "\n".join(odd.details for odd in tree.odd)
        raise AuditError("is no program and no shared library", where=name, details=details)
    return facts[0]


def _read(path: Path, name: str) -> ElfTree:
    try:
        return _tree(list(contents.contents(path, name)))
    except OSError as exc:
        raise InputError(
            f"cannot be read: {exc.strerror}", where=name, hint="check the path"
        ) from exc


def _walk(root: Path) -> tuple[list[Path], dict[str, str], set[str], set[str]]:
    """Files in order, symlinks with their targets, folders, and what is none of them (pipes,
    devices); '' is the root itself."""
    files: list[Path] = []
    special: set[str] = set()
    links: dict[str, str] = {}
    folders = {""}
    for place, subfolders, names in os.walk(root):
        here = Path(place)
        for name in (*subfolders, *names):
            path = here / name
            relative = path_text(path.relative_to(root).as_posix())
            if path.is_symlink():
                links[relative] = path_text(path.readlink())
            elif name in subfolders:
                folders.add(relative)
            elif path.is_file():
                files.append(path)
            else:
                special.add(relative)
    return sorted(files), links, folders, special


def _tree(
    read: Sequence[contents.Content],
    links: dict[str, str] | None = None,
    folders: set[str] | None = None,
) -> ElfTree:
    known = frozenset(folders or ())
    return ElfTree(
        facts=tuple(one for one in read if isinstance(one, ElfFacts)),
        odd=tuple(one for one in read if isinstance(one, OddFile)),
        links=links or {},
        folders=known,
        rooted=any(folder in known for folder in LOADER_FOLDERS),
    )


def _whole(tree: ElfTree) -> tuple[ElfFacts, ...]:
    for odd in tree.odd:
        if odd.oddity is Oddity.DAMAGED:
            raise AuditError(
                odd.brief,
                where=odd.file,
                details=odd.cause,
                hint="build or copy it again; `readelf -aW` shows where it breaks",
            )
    return tree.facts
