"""Toolchain images made from nothing, and what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import images

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.toolchain import Identity


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One image before and after; `before` is None when it had never been made."""

    before: Identity | None
    after: Identity | None

    @property
    def packages(self) -> str:
        """The packages that changed, in words; empty where one of the two is not known."""
        if self.before is None or self.after is None:
            return ""
        return images.changed_packages(self.before, self.after)

    @property
    def words(self) -> str:
        """What the rebuild changed, in a sentence for the night's document."""
        if self.before is None or self.after is None:
            return "made for the first time"
        if self.before.digest == self.after.digest:
            return f"rebuilt, the same {len(self.after.packages)} packages"
        return self.packages


def make_toolchains(workshop: Workshop, names: Iterable[str], *, anew: bool) -> dict[str, Rebuilt]:
    """Make the images of toolchains, from nothing when `anew`; each with what it was before."""
    rebuilt = {}
    for name in names:
        toolchain = workshop.project.toolchains[name]
        before = images.recorded(toolchain, workshop.state)
        workshop.image(toolchain, rebuild=anew)
        rebuilt[name] = Rebuilt(before, images.recorded(toolchain, workshop.state))
    return rebuilt
