"""toolchains.lock held against the images that are there, and written from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import toolchain_lock
from buildmatrix.errors import BuildError
from buildmatrix.nouns import Stage
from buildmatrix.pipeline.rebuilding import make_toolchains
from buildmatrix.shelf import LOCK
from buildmatrix.toolchain_lock import changes, locked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.pipeline.workshop import Workshop


def hold(workshop: Workshop) -> None:
    """Raise BuildError when an image that the selected cells need has other packages than the
    project's lock lists. An image that is not known yet counts for nothing."""
    listed = locked(workshop.project.root)
    for name in used(workshop) if listed else ():
        identity = workshop.identities.get(name)
        if identity is None or name not in listed:
            continue
        if moved := changes(listed[name], identity.packages):
            raise BuildError(
                f"the image of {name} has other packages than {LOCK} lists",
                details="\n".join(moved),
                hint=f"`inv toolchains --rebuild --only {name}` makes the image anew, out of what "
                f"the mirror has; `inv toolchains --lock --only {name}` takes it as it is",
            )


def used(workshop: Workshop) -> tuple[str, ...]:
    """The toolchains whose images the selected cells need."""
    works = workshop.project.graph
    return tuple(sorted({work.toolchain for work in works if work.stage is Stage.IMAGE}))


def renewed(
    workshop: Workshop, names: Sequence[str], *, rebuild: bool, lock: bool
) -> dict[str, str]:
    """Make the images of toolchains, from nothing with `rebuild`; with `lock`, list them in the
    project's lock. Of each, in words, what that changed: in the lock where it was asked for."""
    made = make_toolchains(workshop, names, anew=rebuild)
    if not lock:
        return {name: one.packages for name, one in made.items()}
    listed = locked(workshop.project.root)
    present = {name: workshop.identities[name].packages for name in names}
    toolchain_lock.lock(workshop.project.root, {**listed, **present})
    return {name: _words(listed.get(name), packages) for name, packages in present.items()}


def _words(before: tuple[str, ...] | None, after: tuple[str, ...]) -> str:
    if before is None:
        return f"locked: {len(after)} packages"
    return "; ".join(changes(before, after)) or "locked: nothing changed"
