"""Bringing home what comes with this package: a copy in the project's folder, to be changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import shelf, toolchain
from buildmatrix.errors import UsageError

if TYPE_CHECKING:
    from buildmatrix.shelf import Kind, Offer


def bring(root: Path, kind: Kind, name: str) -> tuple[Path, ...]:
    """Copy a recipe, toolchain or model that is shipped into the project in `root`, with the
    folders beside it that it points into; returns the new folders.

    Raises UsageError when there is none of that name, or when the project has one already.
    """
    offer = shelf.chosen(root, kind, name)
    if offer.origin == "project":
        raise UsageError(
            f"{kind}/{name} is the project's own already",
            where=str(offer.folder),
            hint="remove it to get the one that is shipped again",
        )
    made = []
    for folder in (offer.folder, *_beside(kind, offer)):
        target = root / kind / folder.name
        if not target.exists():  # a neighbour may be home already
            shutil.copytree(folder, target)
            made.append(target)
    return tuple(made)


def _beside(kind: Kind, offer: Offer) -> list[Path]:
    """Folders beside a toolchain's that hold files of its, as ../debian/smoke.sh."""
    if kind != "toolchains":
        return []
    spec = toolchain.load(offer.folder).spec
    parts = [Path(path).parts for path in (spec.dockerfile, spec.cmake, spec.smoke)]
    names = dict.fromkeys(path[1] for path in parts if path[0] == "..")
    return [offer.folder.parent / name for name in names]
