"""Things by name, out of two folders: a project's own, and those that come with this package.

A wheel carries recipes, toolchains and models below `buildmatrix/shipped`; a checkout of the
repository has the same folders at its top. A project names them as they are, and what it has
itself under the same name wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from buildmatrix.errors import UsageError, did_you_mean

T = TypeVar("T")
Kind = Literal["recipes", "toolchains", "models"]
FILES: Mapping[Kind, str] = {
    "recipes": "recipe.yaml",
    "toolchains": "toolchain.yaml",
    "models": "model.yaml",
}
PACKAGE = Path(__file__).parent
LOCK = "toolchains.lock"  # in a project's folder: the packages of its toolchains' images


def shipped(kind: Kind) -> Path:
    """The folder of a kind that comes with this package; a checkout's is beside the package."""
    inside = PACKAGE / "shipped" / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def folders(root: Path, kind: Kind) -> dict[str, Path]:
    """Name -> folder of everything of a kind that a project in `root` may name, sorted by name."""
    places = (shipped(kind), root / kind)
    # By a pattern, which takes dead links too: reading one says what is wrong with it.
    files = (file for at in places for file in at.glob(f"*/{FILES[kind]}*"))
    found = {file.parent.name: file.parent for file in files if file.name == FILES[kind]}
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a project may name. `origin`: 'project', or 'shipped' with this package."""

    name: str
    folder: Path
    origin: Literal["project", "shipped"]


def project_folder(matrix: Path) -> Path:
    """The folder of the project whose matrix that is or will be, through links. A link that leads
    round in a circle ends at itself: whoever reads the matrix says what is wrong with it."""
    # Path.resolve() raises for a circle before Python 3.13.
    return Path(os.path.realpath(matrix)).parent  # noqa: TID251


def offers(root: Path, kind: Kind) -> tuple[Offer, ...]:
    """All of a kind that a project in `root` may name, with where each comes from."""
    own = (root / kind).resolve()
    return tuple(
        Offer(name, folder, "project" if folder.resolve().is_relative_to(own) else "shipped")
        for name, folder in folders(root, kind).items()
    )


def chosen(root: Path, kind: Kind, name: str) -> Offer:
    """The one of that name. Raises UsageError when there is none."""
    there = {offer.name: offer for offer in offers(root, kind)}
    if name not in there:
        brief = f"no {kind.removesuffix('s')} '{name}'{did_you_mean(name, [*there])}"
        raise UsageError(brief, hint=f"there are: {', '.join(there)}")
    return there[name]


class Shelf(Mapping[str, T]):
    """What a project may name of one kind, read when it is first asked for.

    What the project has is read at once by whoever makes the shelf, so that a fault in it is said
    whether it is used or not; `read` turns the folder of a thing that comes with the package into
    the thing.
    """

    def __init__(
        self, own: Mapping[str, T], folders: Mapping[str, Path], read: Callable[[Path], T]
    ) -> None:
        self._things = dict(own)
        self._names = tuple(sorted({*own, *folders}))
        self._folders = folders
        self._read = read

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            self._things[name] = self._read(self._folders[name])
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
