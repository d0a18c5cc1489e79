"""From what was built to a bundle: the closure of the runner's needs, nothing more."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from buildmatrix import bundle, elf
from buildmatrix.export import EXPECTED_FILE, INPUT_FILE, PICTURES_FILE
from buildmatrix.works import BundleWork, ProductWork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from buildmatrix.nouns import ElfTree

    Export = Callable[[tuple[str, ...], Path], None]  # copies files out of the toolchain image


def pack(
    packed: BundleWork,
    *,
    runner: Path,
    built: tuple[Path, ...],
    model: Path,
    triple: str,
    export: Export,
    workspace: Path,
    material: Mapping[str, object],
) -> Path:
    """Assemble a cell's bundle; returns its folder.

    A library comes from what was built, the stack's own first; what nobody built (libstdc++,
    protobuf, boost) comes from the toolchain image. Raises AuditError when one is nowhere.
    """
    program = runner / "bin" / "runner"
    root = elf.read(program, "bin/runner")
    paths = _built(built)
    facts = {soname: elf.read(path, f"lib/{soname}") for soname, path in paths.items()}
    while missing := bundle.reach((root,), facts, provided=packed.policy.provided)[1]:
        exported = _exported(tuple(missing), triple, export, workspace / "sysroot")
        if not exported:
            break  # `closure` names them, with who needs them
        paths.update(exported)
        facts.update({name: elf.read(path, f"lib/{name}") for name, path in exported.items()})
    sonames = bundle.closure((root,), facts, provided=packed.policy.provided)
    destination = workspace / "bundle"
    bundle.assemble(
        destination,
        cell=packed.cell.id,
        runner=program,
        libraries={soname: paths[soname] for soname in sonames},
        model=_loaded(model, runner / "model", workspace / "loaded"),
        material=material,
    )
    return destination


def _loaded(model: Path, made: Path, folder: Path) -> Path:
    """The folder of what a runner loads: the model, or what its script has made of it in `made`, in
    `folder` and beside what the harness reads. The files that it was made of stay here."""
    if not made.is_dir():
        return model
    shutil.copytree(made, folder)
    for name in (INPUT_FILE, EXPECTED_FILE, PICTURES_FILE):
        if (model / name).is_file():
            shutil.copyfile(model / name, folder / name)
    return folder


def survey(audited: BundleWork | ProductWork, root: Path) -> ElfTree:
    """What an audit looks at below `root`, the checked-out tree of a cell.

    A bundle has each library under its soname, and a recipe's rules name it so. Products may have
    it under its version with a link beside it: the two change names, in the copy that `root` is.
    """
    tree = elf.survey(root)
    if isinstance(audited, BundleWork):
        return tree
    swapped = False
    for facts in tree.facts:
        if not bundle.SONAME.fullmatch(facts.soname):
            continue
        path = root / facts.file
        link = path.with_name(facts.soname)
        if link.is_symlink() and link.resolve() == path.resolve():
            link.unlink()
            path.rename(link)
            path.symlink_to(link.name)
            swapped = True
    return elf.survey(root) if swapped else tree


def _built(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Shared libraries by soname; when two folders have one, the first counts."""
    libraries: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((folder / "lib").glob("*.so*")):
            if path.is_file() and elf.is_elf(path):
                soname = elf.read(path, path.name).soname or path.name
                libraries.setdefault(soname, path)
    return libraries


def _exported(
    sonames: tuple[str, ...], triple: str, export: Export, sysroot: Path
) -> dict[str, Path]:
    """Debian keeps target libraries in two places: multiarch, and the cross compiler's own."""
    places = (f"/usr/lib/{triple}", f"/lib/{triple}", f"/usr/{triple}/lib")
    export(tuple(f"{place}/{soname}" for soname in sonames for place in places), sysroot)
    libraries: dict[str, Path] = {}
    for soname in sonames:
        for place in places:
            path = sysroot / place.lstrip("/") / soname
            if path.is_file():
                libraries.setdefault(soname, path)
    return libraries
