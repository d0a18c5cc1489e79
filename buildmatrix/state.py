"""The state folder: every path below it, by name. Nothing here reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path


# Names of what lies there for a while. Below the root: a toolchain's base, a record before it is in
# its place. Below the folder of sources, in a folder there: what is fetched, and unpacked.
PASSING = ("base-*", ".*.json-*")
PASSING_SOURCES = ((".", "fetch-*"), (".", "tree-*"), ("archives", "tree-*"))


@dataclass(frozen=True, slots=True)
class State:
    """Where everything is kept; docs/architecture.md says what each part is for."""

    root: Path

    @property
    def store(self) -> Path:
        """What was made, by cache key; laid out by `store`."""
        return self.root / "store"

    @property
    def presence(self) -> Path:
        """Locked by everybody who is at work with the store; see `presence`."""
        return self.root / "presence.lock"

    @property
    def sources(self) -> Path:
        """Archives fetched, and the trees unpacked from them."""
        return self.root / "sources"

    @property
    def results(self) -> Path:
        """The database of everything that was measured."""
        return self.root / "results.sqlite"

    @property
    def nights(self) -> Path:
        """A folder for each night: its record and its report."""
        return self.root / "nights"

    @property
    def bisects(self) -> Path:
        """A file for each search of `inv bisect`: what was measured of it."""
        return self.root / "bisects"

    @property
    def seconds(self) -> Path:
        """How long each work took last, by work id."""
        return self.root / "seconds.json"

    @property
    def networks(self) -> Path:
        """Layers of the models that stand in files, a record each."""
        return self.root / "networks"

    @property
    def estimates(self) -> Path:
        """Runs on real boards that estimates are fitted to beside what was published."""
        return self.root / "estimates.json"

    @property
    def unavailable(self) -> Path:
        """Sources that could not be had when last tried, with the reason, by work id."""
        return self.root / "unavailable.json"

    @property
    def owners(self) -> Path:
        """A locked file for each living process that runs containers."""
        return self.root / "owners"

    @property
    def trust(self) -> Path:
        """Host keys that `device trust` pinned, by address."""
        return self.root / "trust.json"

    @property
    def seen(self) -> Path:
        """When each board last answered."""
        return self.root / "seen.json"

    @property
    def scripts(self) -> Path:
        """Boards that have the agent, by address, with its digest."""
        return self.root / "scripts.json"

    @property
    def passing(self) -> tuple[tuple[Path, str], ...]:
        """Folders and patterns of all that is removed once its maker is dead."""
        return (
            (self.store / "tmp", "*"),
            (self.owners, "*"),
            *((self.sources / folder, pattern) for folder, pattern in PASSING_SOURCES),
            *((self.root, pattern) for pattern in PASSING),
        )

    @property
    def answered(self) -> Path:
        """What the last build that had nothing to do said."""
        return self.root / "answered.json"

    @property
    def offered(self) -> Path:
        """Cells and boards that a shell completes, as they were when a file was last written."""
        return self.root / "offered.json"

    @property
    def toolchains(self) -> Path:
        """What the image of each toolchain turned out to be."""
        return self.root / "toolchains"

    @property
    def virtual(self) -> Path:
        """Images of virtual boards, and the boards made from them."""
        return self.root / "virtual"

    @property
    def virtual_boards(self) -> Path:
        return self.virtual / "boards"

    def toolchain(self, name: str) -> Path:
        """The record of one toolchain's image."""
        return self.toolchains / f"{name}.json"

    @property
    def ccaches(self) -> Path:
        """Compiler caches, a folder for each recipe under each toolchain."""
        return self.root / "ccache"

    @property
    def logs(self) -> Path:
        """What containers printed, by stage and work."""
        return self.root / "logs"

    def ccache(self, recipe: str, toolchain: str) -> Path:
        """The compiler cache of one recipe under one toolchain."""
        return self.ccaches / f"{recipe}@{toolchain}"

    def profile(self, cell: str) -> Path:
        """Where the instructions of a cell went when it was last profiled."""
        return self.root / "profiles" / f"{cell}.json"

    def log(self, stage: str, name: str) -> Path:
        """What the container of one work printed."""
        return self.logs / stage / f"{name}.log"

    def board(self, name: str) -> Path:
        """What a board said when it was last asked all; its name may be an address."""
        return self.root / "boards" / f"{quote(name, safe='@:')}.json"
