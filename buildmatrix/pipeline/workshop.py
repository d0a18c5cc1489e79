"""The workshop: how each kind of work is made, with the edges it needs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from buildmatrix import __version__, bootstrap, build, images, scratch, workload
from buildmatrix.network import ImportedNetwork, NetworkSpec, origin
from buildmatrix.nouns import Stage
from buildmatrix.pinned import identify
from buildmatrix.pipeline import compiling, sending
from buildmatrix.pipeline.workplace import Workplace
from buildmatrix.plan import material_of
from buildmatrix.protocols import Note
from buildmatrix.recipe import SourceSpec
from buildmatrix.records import write_document
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.toolchain import Identity, Toolchain
from buildmatrix.workload import Calls
from buildmatrix.works import BundleWork, ModelWork, ProductWork, Work, work_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from buildmatrix.nouns import Entry
    from buildmatrix.pipeline.project import Project
    from buildmatrix.pipeline.sending import Executor
    from buildmatrix.protocols import ContainerSpec
    from buildmatrix.remote import Remote
    from buildmatrix.results import Results
    from buildmatrix.schedule.sizing import Machine
    from buildmatrix.workload import Workload

AGAIN = "/again/elsewhere"  # the working folder of a compile that is compared with the first


@dataclass(kw_only=True)
class Workshop(Workplace):
    """A workplace with a project: all that making its works needs. With an `executor` what compiles
    is made on workers."""

    project: Project
    executor: Executor | None = None
    identities: dict[str, Identity] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def machine(self) -> Machine:
        """What a build may use: of this machine, or of all workers."""
        if self.executor is None:
            return super().machine
        return replace(self.executor.machine, works=self.works)

    def stop(self) -> None:
        """End what threads wait for, here and on workers; nothing can be made after that."""
        if self.executor is not None:
            self.executor.stop()
        super().stop()

    def results(self) -> Results:
        """The file of all measurements, opened; close it when done."""
        from buildmatrix.results import Results

        return Results(self.paths.results, self.warn)

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
            case ResolvedBuild():
                return _amount(self._compiled(work, keys, jobs))
            case SourceSpec():
                return self._fetched(work.subject, work.id)
            case _:
                with self.store.workspace(keys[work.id]) as workspace:
                    tree = self._tree(work, keys, workspace)
                    image, log = self.identities.get(work.toolchain), self.log_path(work).name
                    seconds = time.monotonic() - started
                    entry = self.store.add(
                        keys[work.id],
                        tree,
                        material=material_of(work, keys),
                        provenance=compiling.provenance(work, image, seconds, log),
                    )
                return _amount(entry)

    def _fetched(self, source: SourceSpec, subject: str) -> str:
        return self.sources.fetch(source, identify(source), base=self.project.root, subject=subject)

    def image(self, toolchain: Toolchain, *, rebuild: bool = False) -> str:
        """Make or look at a toolchain's image, and note what it is."""

        def base(suite: str, tar: Path, on_line: Callable[[str], None]) -> None:
            from buildmatrix.container.proxies import authority_of

            authority = authority_of(self.network)
            bootstrap.debootstrap(suite, self.mirror(), tar, on_line, authority=authority)

        def lay_out(folder: Path) -> None:
            for source in toolchain.spec.sources:
                if not self.sources.holds(identify(source)):
                    self._fetched(source, work_id(Stage.IMAGE, toolchain.name))
                self.sources.unpack(identify(source), folder / source.name)

        identity = images.ensure(
            toolchain,
            engine=self.engine,
            bootstrap=base,
            lay_out=lay_out,
            state=self.state,
            reporter=self.reporter,
            rebuild=rebuild,
            remote=self.remote,
        )
        if self.remote is not None:
            self._lend_image(toolchain, identity, self.remote)
        self.identities[toolchain.name] = identity
        return f"{len(identity.packages)} packages, identity {identity.digest[:12]}"

    def _lend_image(self, toolchain: Toolchain, identity: Identity, remote: Remote) -> None:
        images.lend_record(toolchain, state=self.state, remote=remote)
        if not self.shares_images:
            return
        size = images.lend(toolchain, identity, engine=self.engine, state=self.state, remote=remote)
        if size is not None:
            words = f"{toolchain.name}: its image is in the shared store, {size / 1e6:.0f} MB"
            self.reporter.emit(Note("info", words))

    def _tree(self, work: Work, keys: Mapping[str, str], workspace: Path) -> Path:
        match work.subject:
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
                job = self._job(self._order(work, keys), workspace)
                cache, log = workspace / "ccache", self.paths.log(work.stage, f"{work.name} again")
                job = replace(job, home=AGAIN, ccache=cache, log=log, jobs=self.jobs + 1)
                return compiling.run(job, keys[work.id], self)
            case _:
                return self._tree(work, keys, workspace)

    # -- build and runner ------------------------------------------------------------------------

    def _compiled(self, work: Work, keys: Mapping[str, str], jobs: int) -> Entry:
        """Made in a container here, or on a worker where there are any."""
        order = self._order(work, keys)
        if self.executor is not None:
            return sending.sent(order, self, self.executor, self.project.toolchains[work.toolchain])
        folder = order.resolved.recipe.folder
        return compiling.made(order, self, image=order.image.image, recipe=folder, jobs=jobs)

    @contextmanager
    def opened(self, work: Work, keys: Mapping[str, str]) -> Iterator[ContainerSpec]:
        """A build's container as it would be made now, all it needs in place; nothing is kept."""
        with scratch.folder(self.store.root / "tmp", "shell-") as workspace:
            yield build.prepared(self._job(self._order(work, keys), workspace))

    def _order(self, work: Work, keys: Mapping[str, str]) -> compiling.Order:
        return compiling.order(
            work,
            keys,
            works=self.project.graph.by_id,
            toolchain=self.project.toolchains[work.toolchain],
            image=self.identities[work.toolchain],
        )

    def _job(self, order: compiling.Order, workspace: Path) -> build.Job:
        folder = order.resolved.recipe.folder
        return compiling.job(order, workspace, self, image=order.image.image, recipe=folder)

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


def _amount(entry: Entry) -> str:
    size = sum(record.size for record in entry.files)
    return f"{len(entry.files)} files, {size / 1e6:.1f} MB"
