"""The workshop: how each kind of work is made, with the edges it needs."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from buildmatrix import __version__, bootstrap, build, images, scratch, workload
from buildmatrix.cachekey import digest
from buildmatrix.graph import identify
from buildmatrix.network import ImportedNetwork, NetworkSpec, origin
from buildmatrix.nouns import Stage
from buildmatrix.pipeline import compiling
from buildmatrix.plan import material_of
from buildmatrix.presence import Presence
from buildmatrix.protocols import Note
from buildmatrix.recipe import SourceSpec
from buildmatrix.records import write_document
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.schedule.sizing import Machine
from buildmatrix.sources import Sources
from buildmatrix.state import State
from buildmatrix.store import Store
from buildmatrix.toolchain import Identity, Toolchain
from buildmatrix.workload import Calls
from buildmatrix.works import BundleWork, ModelWork, ProductWork, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from buildmatrix.pipeline.project import Project
    from buildmatrix.protocols import ContainerSpec, Engine, Reporter
    from buildmatrix.remote import Remote
    from buildmatrix.results import Results
    from buildmatrix.workload import Workload

NOBODY = 65534  # who builds when root starts the build
AGAIN = "/again/elsewhere"  # the working folder of a compile that is compared with the first


@dataclass
class Workshop:
    """What making a work needs: the project, a place for the results, and the ways to the world.

    Everything that is kept lies under `state`. `mirror` and `index` return the addresses of the
    Debian mirror and of Python's package index; they are called only when something is fetched.
    """

    project: Project
    state: Path
    reporter: Reporter
    mirror: Callable[[], str]
    index: Callable[[], str]
    archives: Path | None = None
    jobs: int = 1  # cores that compiles may use
    works: int = 0  # at once; 0: as many as the machine carries
    engine_place: Mapping[str, str] = field(default_factory=dict)  # what says which engine
    shared: str = ""  # address of a store that machines share
    shares: bool = True  # what is made here is put there too
    network: Mapping[str, str] = field(default_factory=dict)  # variables for proxies, certificates
    identities: dict[str, Identity] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
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

    def results(self) -> Results:
        """The file of all measurements, opened; close it when done."""
        from buildmatrix.results import Results

        return Results(self.paths.results, self.warn)

    def sweep(self) -> None:
        """Remove what killed builds of this state folder left on the disk."""
        self.store.sweep()
        self.sources.sweep()
        scratch.sweep(self.state, "base-*")
        scratch.sweep(self.paths.owners)

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
        )

    @cached_property
    def engine(self) -> Engine:
        """Connected on first use: a build with nothing to do must not need Docker.

        Containers of this state folder whose maker is dead are removed then, whatever they make:
        nobody may ask for their key again. A build looks at its images first, so that threads find
        the engine connected.
        """
        from buildmatrix.container import OWNER, STATE, DockerEngine

        owner = scratch.claim(self.paths.owners, "owner-")
        engine = DockerEngine(self.engine_place, {STATE: str(self.state), OWNER: owner.name})
        for name in engine.owners(str(self.state)):
            if not scratch.is_claimed(self.paths.owners / name):
                engine.remove_stale(OWNER, name)
        return engine

    def stop(self) -> None:
        """End what threads wait for, containers and downloads; nothing can be made after that."""
        self.stopping.set()
        if "engine" in self.__dict__:
            self.engine.stop()

    @property
    def machine(self) -> Machine:
        """What a build may use of this machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Machine(self.jobs, memory >> 20, self.works)

    @property
    def paths(self) -> State:
        """Everything below `state`, by name."""
        return State(self.state)

    def log_path(self, work: Work) -> Path:
        return self.paths.log(work.stage, work.name)

    def make(self, work: Work, keys: Mapping[str, str], jobs: int) -> str:
        """Make one work and keep it, compiling with `jobs` processes. Returns a few words on what
        came of it.

        `keys` holds its own key and those of all it needs. Raises BuildError, SourceUnavailable.
        """
        started = time.monotonic()
        match work.subject:
            case Toolchain():
                return self.image(work.subject)
            case SourceSpec():
                identity = identify(work.subject)
                return self.sources.fetch(
                    work.subject, identity, base=self.project.root, subject=work.id
                )
            case _:
                with self.store.workspace(keys[work.id]) as workspace:
                    tree = self._tree(work, keys, workspace, jobs)
                    entry = self.store.add(
                        keys[work.id],
                        tree,
                        material=material_of(work, keys),
                        provenance=self._provenance(work, time.monotonic() - started),
                    )
                size = sum(record.size for record in entry.files)
                return f"{len(entry.files)} files, {size / 1e6:.1f} MB"

    def image(self, toolchain: Toolchain, *, rebuild: bool = False) -> str:
        """Make or look at a toolchain's image, and note what it is."""

        def base(suite: str, tar: Path, on_line: Callable[[str], None]) -> None:
            bootstrap.debootstrap(suite, self.mirror(), tar, on_line)

        identity = images.ensure(
            toolchain,
            engine=self.engine,
            bootstrap=base,
            state=self.state,
            reporter=self.reporter,
            rebuild=rebuild,
        )
        self.identities[toolchain.name] = identity
        return f"{len(identity.packages)} packages, identity {identity.digest[:12]}"

    def _tree(self, work: Work, keys: Mapping[str, str], workspace: Path, jobs: int) -> Path:
        match work.subject:
            case ResolvedBuild():
                return self._built(work, work.subject, keys, workspace, jobs)
            case ModelWork():
                return self._exported(work.subject, workspace)
            case BundleWork() if work.stage is Stage.BUNDLE:
                return self._bundled(work, work.subject, keys, workspace)
            case BundleWork() | ProductWork():
                return self._audited(work, work.subject, keys, workspace)
            case _:
                raise AssertionError(work.stage)

    def again(self, work: Work, keys: Mapping[str, str], workspace: Path) -> Path:
        """Make a work that is stored once more: a compile in another folder, by one process more
        and without what ccache remembers. Returns its tree, below `workspace`; nothing is kept."""
        match work.subject:
            case ResolvedBuild():
                job = self._job(work, work.subject, keys, workspace)
                cache, log = workspace / "ccache", self.paths.log(work.stage, f"{work.name} again")
                job = replace(job, home=AGAIN, ccache=cache, log=log, jobs=self.jobs + 1)
                return self._run(job, keys[work.id])
            case _:
                return self._tree(work, keys, workspace, self.jobs)

    # -- build and runner ------------------------------------------------------------------------

    def _built(
        self,
        work: Work,
        resolved: ResolvedBuild,
        keys: Mapping[str, str],
        workspace: Path,
        jobs: int,
    ) -> Path:
        job = self._job(work, resolved, keys, workspace)
        job = replace(job, jobs=jobs, minutes=job.minutes * self.machine.patience)
        return self._run(job, keys[work.id])

    def _run(self, job: build.Job, key: str) -> Path:
        # Another state folder on this machine may make the same key.
        maker = digest({"state": str(self.state), "key": key})
        return compiling.run(job, maker=maker, engine=self.engine, reporter=self.reporter)

    @contextmanager
    def opened(
        self, work: Work, resolved: ResolvedBuild, keys: Mapping[str, str]
    ) -> Iterator[ContainerSpec]:
        """A build's container as it would be made now, all it needs in place; nothing is kept."""
        with scratch.folder(self.store.root / "tmp", "shell-") as workspace:
            yield build.prepared(self._job(work, resolved, keys, workspace))

    def _job(
        self,
        work: Work,
        resolved: ResolvedBuild,
        keys: Mapping[str, str],
        workspace: Path,
    ) -> build.Job:
        mounts = compiling.inputs(
            work,
            resolved,
            keys,
            workspace,
            project=self.project,
            sources=self.sources,
            store=self.store,
        )
        return build.Job(
            id=work.id,
            image=self.identities[work.toolchain].image,
            script=resolved.script,
            workspace=workspace,
            mounts=mounts,
            ccache=self.paths.ccache(resolved.recipe.name, work.toolchain),
            products=resolved.products,
            memory_gib=resolved.limits.memory_gib,
            minutes=resolved.limits.minutes,
            jobs=self.jobs,
            user=os.geteuid() or NOBODY,
            labels=(("buildmatrix.work", work.id),),
            log=self.log_path(work),
        )

    # -- model, bundle, audit --------------------------------------------------------------------

    def _exported(self, modelled: ModelWork, workspace: Path) -> Path:
        from buildmatrix.export import export

        destination = workspace / "model"
        destination.mkdir()
        measured = self.project.networks[modelled.network]
        if isinstance(measured, Calls):
            for name, content in workload.files(measured).items():
                (destination / name).write_bytes(content)
        else:
            export(measured, format=modelled.format, destination=destination)
            self._warn_of_denormals(measured)
        return destination

    def _warn_of_denormals(self, net: Workload) -> None:
        file = origin(net) if isinstance(net, NetworkSpec) else net
        if isinstance(file, ImportedNetwork) and file.denormals:
            words = (
                f"{file.name}: {file.denormals:,} weights are denormal: NEON of 32 bits computes "
                "with zero for them, and other units may be slow with them"
            )
            self.reporter.emit(Note("warning", words))

    def _bundled(
        self, work: Work, packed: BundleWork, keys: Mapping[str, str], workspace: Path
    ) -> Path:
        from buildmatrix.pipeline.packing import pack

        toolchain = self.project.toolchains[work.toolchain]
        for name in (packed.runner, *packed.libraries):
            self.store.checkout(keys[name], workspace / "made" / keys[name])
        self.store.checkout(keys[packed.model], workspace / "model")
        return pack(
            packed,
            runner=workspace / "made" / keys[packed.runner],
            built=tuple(workspace / "made" / keys[name] for name in packed.libraries),
            model=workspace / "model",
            triple=toolchain.target.triple,
            export=lambda paths, to: images.export(
                self.identities[work.toolchain].image, paths, to, engine=self.engine
            ),
            workspace=workspace,
            material=self._bundle_material(work, packed, keys),
        )

    def _bundle_material(
        self, work: Work, packed: BundleWork, keys: Mapping[str, str]
    ) -> dict[str, object]:
        """What a bundle was made from; no paths and no times, so that it is repeatable."""
        from buildmatrix.bundle import provenance

        made_from = (packed.runner, *packed.libraries, packed.model)
        return provenance(
            {
                "cell": packed.cell.id,
                "stack": packed.cell.stack,
                "options": dict(packed.cell.options),
                "toolchain": work.toolchain,
                "toolchainIdentity": self.identities[work.toolchain].digest,
            },
            built_from={name: keys[name] for name in made_from},
            builder=f"buildmatrix {__version__}",
        )

    def _audited(
        self,
        work: Work,
        audited: BundleWork | ProductWork,
        keys: Mapping[str, str],
        workspace: Path,
    ) -> Path:
        from buildmatrix import audit
        from buildmatrix.audit.document import Audit
        from buildmatrix.pipeline.packing import survey

        files = workspace / "files"
        self.store.checkout(keys[work.needs[0]], files)
        tree = survey(audited, files)
        findings = audit.judge_tree(tree, audited.held_against(tree.facts))
        out = workspace / "out"
        write_document(out / "audit.json", Audit(findings, tree.facts).to_json())
        return out

    def _provenance(self, work: Work, seconds: float) -> dict[str, object]:
        identity = self.identities.get(work.toolchain)
        return {
            "seconds": round(seconds, 1),
            "builder": f"buildmatrix {__version__}",
            "image": identity.image if identity else "",
            "packages": list(identity.packages) if identity and work.stage is Stage.BUILD else [],
            "log": self.log_path(work).name,
            "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
