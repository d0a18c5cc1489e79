"""Rules about libraries: whether the loader finds each, and whether it is the target's loader."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING

from buildmatrix import glibc
from buildmatrix.audit.process import is_program
from buildmatrix.audit.rule import ERROR, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.process import Missing
    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import Target


def _loader(target: Target) -> str:
    abi = target.float_abi if target.machine == "EM_ARM" else "hard"
    return glibc.LOADERS.get((target.machine, abi), "")


# -- what is needed -----------------------------------------------------------------------------


def missing_library(tree: Tree) -> Iterator[Fault]:
    for one in _missing(tree):
        there = _lies_in(tree, one.name) or one.name in tree.policy.provided
        if not (there or one.ended_at or one.passed_over or "/" in one.name):
            yield one.asker.file, f"needs {one.name}, which neither the bundle nor the board has"


def out_of_reach(tree: Tree) -> Iterator[Fault]:
    for one in _missing(tree):
        if "/" in one.name:
            continue
        if one.ended_at:
            yield (
                one.asker.file,
                f"needs {one.name}; {one.ended_at} is no library, and looking ends there",
            )
        elif one.passed_over:
            file = one.passed_over[0]
            why = f"for {file.machine}" if file.machine != tree.target.machine else "soft-float"
            yield one.asker.file, f"needs {one.name}; {file.file} is passed over, it is {why}"
        elif one.name in tree.policy.provided:
            yield (
                one.asker.file,
                f"needs {one.name} of the board's own folders, which DF_1_NODEFLIB forbids",
            )
        elif there := tree.files.by_name.get(one.name):
            folders = " and ".join(dict.fromkeys(_folder(path) for path in there))
            yield one.asker.file, f"needs {one.name}, which lies in {folders}: {_why(one)}"
        elif by_soname := tree.files.by_soname.get(one.name):
            yield (
                one.asker.file,
                f"needs {one.name}, which is the soname of {by_soname}: "
                "the loader opens files by their names, and none has this one",
            )


def path_as_name(tree: Tree) -> Iterator[Fault]:
    """DT_NEEDED of a library without soname is the path by which the linker was given it."""
    for facts in tree.own:
        for name in facts.needed:
            if "/" in name and not name.startswith(("$ORIGIN", "${ORIGIN}")):
                yield facts.file, f"needs '{name}': it is looked for at that path only"


def foreign_library(tree: Tree) -> Iterator[Fault]:
    """Who needs another system's loader or libc.

    A loader that the tree brings under a name of its own is a library like another: torchvision's
    wheels bring glibc's for those that need its __stack_chk_guard.
    """
    lost = {(one.asker.file, one.name) for process in tree.runs for one in process.missing}
    for facts in tree.own:
        for name in facts.needed:
            brought = name.startswith("ld-linux") and (facts.file, name) not in lost
            if _is_foreign(name, tree.target) and not brought:
                yield facts.file, f"needs {name}, which belongs to another libc or machine"


def _missing(tree: Tree) -> Iterator[Missing]:
    """Each that a file asks for in vain, once, whoever loads the file."""
    told: set[tuple[str, str]] = set()
    for process in tree.runs:
        for one in process.missing:
            key = (one.asker.file, one.name)
            if key not in told and not _is_foreign(one.name, tree.target):
                told.add(key)
                yield one


def _lies_in(tree: Tree, name: str) -> bool:
    return name in tree.files.by_name or name in tree.files.by_soname


def _folder(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "the same folder" if parent == "." else parent


def _why(missing: Missing) -> str:
    """Why a library that is there is not looked for in its folder."""
    asker = missing.asker
    if asker.runpath or asker.rpath:
        kind, paths = ("RUNPATH", asker.runpath) if asker.runpath else ("RPATH", asker.rpath)
        return f"the {kind} {':'.join(paths)} does not lead there"
    heirless = next((one for one in missing.chain if one.runpath), None)
    if heirless is not None:
        return (
            f"it has no RUNPATH of its own, and the RUNPATH of {heirless.file} holds for that "
            "file's own needs only"
        )
    return "it has no RUNPATH, and no RPATH above it leads there"


def _is_foreign(name: str, target: Target) -> bool:
    """A loader other than the target's, or the C library of musl or Android (plain libc.so)."""
    loader = PurePosixPath(_loader(target)).name
    if fnmatchcase(name, "ld-linux*.so.*") or name.startswith("ld64.so"):
        return name != loader
    return name == "libc.so" or name.startswith(("ld-musl-", "libc.musl-"))


# -- who loads ----------------------------------------------------------------------------------


def interpreter(tree: Tree) -> Iterator[Fault]:
    wanted = _loader(tree.target)
    for facts in tree.own:
        named = facts.linking.interpreter
        if not wanted or not is_program(facts):
            continue
        if facts.linking.interpreter_cut:
            yield facts.file, f"names {named} without a zero byte behind it, and Linux refuses it"
        # The kernel takes '..' for the folder above: gcc of a build folder writes /lib/../lib/ld-….
        if named and normpath(named) not in _same_loader(wanted, tree.target.triple):
            if not (tree.elf.rooted and tree.files.open(named)):
                yield facts.file, f"is started by {named}, the board's loader is {wanted}"
        elif not named and facts.needed and facts.linking.alignment:  # it is loaded at all
            yield facts.file, f"needs libraries and names no loader, the board's is {wanted}"


def _same_loader(path: str, triple: str) -> tuple[str, ...]:
    file = PurePosixPath(path).name
    folder = str(PurePosixPath(path).parent)
    multiarch = triple.replace("unknown-", "")
    return (path, f"/usr{path}", f"{folder}/{multiarch}/{file}", f"/usr{folder}/{multiarch}/{file}")


def two_blas(tree: Tree) -> Iterator[Fault]:
    """Of a name that two libraries of one process offer, the loader gives all who ask the first.

    A system's own packages are no cell to be measured: Debian's libblas.so.3 is a layer on another.
    """
    for process in tree.processes if not tree.elf.rooted else ():
        loaded = list(process.files)
        for name in dict.fromkeys(name for one in loaded for name in one.blas):
            first, *others = (one.file for one in loaded if name in one.blas)
            if others:
                yield (
                    process.root.file,
                    f"{name} is in {first} and in {', '.join(others)}; the first wins",
                )
                break


RULES = (
    Rule(
        "BM140",
        ERROR,
        "A library that is needed comes with nobody.",
        "Put the library beside the file (in a recipe: the one that builds it is a run "
        "dependency), or link it statically.",
        missing_library,
    ),
    Rule(
        "BM141",
        ERROR,
        "The file was linked for another libc or another loader.",
        "Link with the target's cross linker against glibc (not musl, Android or soft-float).",
        foreign_library,
    ),
    Rule(
        "BM142",
        ERROR,
        "Two libraries of one process offer the same BLAS functions.",
        "Link one of them without its BLAS, or hide its symbols (a version script; recipes/nnpack "
        "has a program that does it to a finished library): a figure must be of the cell's BLAS.",
        two_blas,
        starts=True,
    ),
    Rule(
        "BM145",
        ERROR,
        "The program names a loader that the board does not have.",
        "Link with the target's cross compiler; `patchelf --set-interpreter` mends a finished one.",
        interpreter,
    ),
    Rule(
        "BM146",
        ERROR,
        "A library is asked for by a path, and looked for nowhere else.",
        "Give the library a soname (-Wl,-soname,libx.so.1) and link again; "
        "`patchelf --replace-needed` mends a finished file.",
        path_as_name,
    ),
    Rule(
        "BM152",
        ERROR,
        "A library that is needed is there, and the loader does not find it.",
        "Link with -Wl,-rpath,'$ORIGIN/…' whoever needs it, each library too; or link the program "
        "with -Wl,--disable-new-dtags: a DT_RPATH holds for what its libraries need as well.",
        out_of_reach,
    ),
)
