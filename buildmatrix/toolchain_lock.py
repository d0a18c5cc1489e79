"""toolchains.lock: the packages that the images of a project's toolchains are to have.

A mirror of Debian moves on, and an image that is made a month later holds another compiler. Where
this file is, written by `inv toolchains --lock` and committed, nothing is built by an image with
other packages than it lists. Without it an image counts as what it turned out to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from buildmatrix import scratch
from buildmatrix.schema import DISTINCT, Spec, read
from buildmatrix.shelf import LOCK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HEAD = "# Written by `inv toolchains --lock`: the packages that toolchain images are to have."

Locked = dict[str, tuple[str, ...]]  # of each toolchain, 'name:architecture=version', sorted
Package = Annotated[str, Field(pattern=r"^[^=\s]+=\S+$")]


class LockSpec(Spec):
    """toolchains.lock"""

    version: Literal[1] = Field(description="of this file's form: 1")
    toolchains: dict[str, Annotated[list[Package], DISTINCT]] = Field(
        description="of each toolchain, every package of its image as name:architecture=version"
    )


def locked(root: Path) -> Locked:
    """What the lock of the project in `root` lists; empty where it has none. Raises InputError."""
    path = root / LOCK
    if not (path.is_symlink() or path.exists()):
        return {}
    spec = read(path).build(LockSpec)
    return {name: tuple(packages) for name, packages in spec.toolchains.items()}


def lock(root: Path, packages: Mapping[str, Sequence[str]]) -> None:
    """Replace the lock of the project in `root`, whole: one package a line, for a diff to read."""
    lines = [HEAD, "version: 1", "toolchains:"]
    for name in sorted(packages):
        lines += [f"  {name}:", *(f"    - {package}" for package in packages[name])]
    text = "".join(f"{line}\n" for line in lines)
    scratch.replace(root / LOCK, text.encode(), through=root, mode=0o644)


def changes(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Each package that two images do not share, with its version in both.

    >>> changes(["gcc:amd64=12", "tar:amd64=1"], ["gcc:amd64=13"])
    ['gcc:amd64 12 -> 13', 'tar:amd64 1 -> none']
    """
    old, new = (dict(p.split("=", 1) for p in packages) for packages in (before, after))
    return [
        f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
