"""A workplace: a state folder on a machine, and the ways to the world from there."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.errors import BuildmatrixError
from buildmatrix.presence import Presence
from buildmatrix.protocols import Note
from buildmatrix.schedule.sizing import Machine
from buildmatrix.sources import Sources
from buildmatrix.sources.signature import KEYRINGS
from buildmatrix.state import PASSING, State
from buildmatrix.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from buildmatrix.protocols import Engine, Reporter
    from buildmatrix.remote import Remote


@dataclass(kw_only=True)
class Workplace:
    """Where works are made, whatever project they are of.

    Everything that is kept lies under `state`. `mirror` and `index` return the addresses of the
    Debian mirror and of Python's package index; they are called only when something is fetched.
    """

    state: Path
    reporter: Reporter
    mirror: Callable[[], str]
    index: Callable[[], str]
    archives: Path | None = None
    jobs: int = 1  # cores that compiles may use
    works: int = 0  # at once; 0: as many as the machine carries
    memory_mib: int = 0  # that containers may use; 0: all there is
    engine_place: Mapping[str, str] = field(default_factory=dict)  # what says which engine
    shared: str = ""  # address of a store that machines share
    shares: bool = True  # what is made here is put there too
    shares_images: bool = True  # images of toolchains too, some 400 MB each
    network: Mapping[str, str] = field(default_factory=dict)  # variables for proxies, certificates
    keyrings: tuple[Path, ...] = KEYRINGS  # that signatures of sources are held against
    stopping: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def presence(self) -> Presence:
        """This workshop's part in the state folder, from which nothing goes while others are in."""
        return Presence(self.paths.presence)

    @cached_property
    def store(self) -> Store:
        self.presence.enter()
        return Store(self.paths.store, self.warn, self.remote)

    @cached_property
    def remote(self) -> Remote | None:
        """The store that machines share, where one is named. Raises UsageError for its address."""
        if not self.shared:
            return None
        from buildmatrix.remote import Remote

        return Remote(self.shared, writes=self.shares, tell=self.warn)

    def warn(self, text: str) -> None:
        """Tell of something that is not as it was written, and what was done about it."""
        self.reporter.emit(Note("warning", text))

    def sweep(self) -> None:
        """Remove what killed builds of this state folder left, on the disk and in the engine.

        One of them may have had containers; without an engine the next build looks for them."""
        self.store.sweep()
        self.sources.sweep()
        for pattern in PASSING:
            scratch.sweep(self.state, pattern)
        if scratch.sweep(self.paths.owners):
            with suppress(BuildmatrixError):
                _ = self.engine  # connecting removes them

    @cached_property
    def sources(self) -> Sources:
        return Sources(
            self.paths.sources,
            self.mirror,
            self.index,
            self.reporter,
            self.archives,
            self.network,
            self.stopping.is_set,
            self.remote,
        )

    @cached_property
    def owner(self) -> str:
        """What the containers of this process are known by, as long as it lives."""
        return scratch.claim(self.paths.owners, "owner-").name

    @cached_property
    def engine(self) -> Engine:
        """Connected on first use: a build with nothing to do must not need Docker.

        Containers of this state folder whose maker is dead are removed then, whatever they make:
        nobody may ask for their key again. A build looks at its images first, so that threads find
        the engine connected.
        """
        from buildmatrix.container import OWNER, STATE, DockerEngine

        labels = {STATE: str(self.state), OWNER: self.owner}
        engine = DockerEngine(self.engine_place, labels, self.network, self.mirror)
        for name in engine.owners(str(self.state)):
            if not scratch.is_claimed(self.paths.owners / name):
                engine.remove_stale(OWNER, name)
        return engine

    def stop(self) -> None:
        """End what threads wait for, containers and downloads; nothing can be made after that."""
        self.stopping.set()
        if "engine" in self.__dict__:
            self.engine.stop()

    def close(self) -> None:
        """Let go of the engine."""
        if "engine" in self.__dict__:
            self.engine.close()

    @property
    def machine(self) -> Machine:
        """What a build may use of this machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Machine(self.jobs, self.memory_mib or memory >> 20, self.works)

    @property
    def paths(self) -> State:
        """Everything below `state`, by name."""
        return State(self.state)
