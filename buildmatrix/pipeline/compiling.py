"""A compile: its inputs in place, and its container, of which nothing is left when it ends."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix import __version__, build, images
from buildmatrix.cachekey import digest
from buildmatrix.nouns import Stage
from buildmatrix.pinned import identify
from buildmatrix.pipeline.project import HARNESS
from buildmatrix.plan import material_of
from buildmatrix.protocols import Mount, Output
from buildmatrix.recipe import SourceSpec
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.works import ModelWork

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.nouns import Entry
    from buildmatrix.pipeline.workplace import Workplace
    from buildmatrix.toolchain import Identity, Toolchain
    from buildmatrix.works import Work

MAKER = "buildmatrix.maker"  # label of a container: who makes which key


@dataclass(frozen=True, slots=True)
class Order:
    """A compile, with what it is made from by its keys and identities: any machine that has these
    can make it."""

    work: Work
    resolved: ResolvedBuild  # the work's subject
    needs: tuple[Work, ...]  # that it needs itself
    keys: Mapping[str, str]  # its own, and those of its needs
    cmake: str  # CMake's toolchain file
    image: Identity

    @property
    def key(self) -> str:
        return self.keys[self.work.id]


def order(
    work: Work,
    keys: Mapping[str, str],
    *,
    works: Mapping[str, Work],
    toolchain: Toolchain,
    image: Identity,
) -> Order:
    """The order for a build or a runner. `works` and `keys` hold at least those that it needs."""
    assert isinstance(work.subject, ResolvedBuild)
    needs = tuple(works[name] for name in work.needs)
    wanted = (work.id, *(need.id for need in needs))
    own = {name: keys[name] for name in wanted if name in keys}
    return Order(work, work.subject, needs, own, toolchain.cmake_file, image)


def made(
    order: Order, place: Workplace, *, image: str, recipe: Path, jobs: int, told_log: str = ""
) -> Entry:
    """Make an order and keep what comes of it, under its key, whose lock the caller holds.

    `image` is the engine's id of the order's image, `recipe` the folder with the recipe's files,
    `told_log` the log as people are told of it. Raises BuildError.
    """
    started = time.monotonic()
    with place.store.workspace(order.key) as workspace:
        todo = job(order, workspace, place, image=image, recipe=recipe)
        minutes = todo.minutes * place.machine.patience
        todo = replace(todo, jobs=jobs, minutes=minutes, told_log=told_log)
        tree = run(todo, order.key, place)
        seconds = time.monotonic() - started
        return place.store.add(
            order.key,
            tree,
            material=material_of(order.work, order.keys),
            provenance=provenance(order.work, order.image, seconds, todo.log.name),
        )


def run(job: build.Job, key: str, place: Workplace) -> Path:
    """Run a job; returns the folder of what it made. Raises BuildError.

    What a killed maker of the same key left running is ended first, and this one's container when
    it is broken off.
    """
    # Another state folder on this machine may make the same key.
    maker = digest({"state": str(place.state), "key": key})
    place.engine.remove_stale(MAKER, maker)
    job = replace(job, labels=((MAKER, maker), *job.labels))
    try:
        return build.run(
            job,
            engine=place.engine,
            on_line=lambda line: place.reporter.emit(Output(job.id, line)),
        )
    except BaseException:  # also Ctrl-C between creating a container and watching it
        place.engine.remove_stale(MAKER, maker)
        raise


def job(order: Order, workspace: Path, place: Workplace, *, image: str, recipe: Path) -> build.Job:
    """The job of an order, with all it needs laid out below the workspace."""
    work, resolved = order.work, order.resolved
    return build.Job(
        id=work.id,
        image=image,
        script=resolved.script,
        workspace=workspace,
        mounts=_inputs(order, workspace, place, recipe),
        ccache=place.paths.ccache(resolved.recipe.name, work.toolchain),
        toolchain=order.image.definition,
        products=resolved.products,
        memory_gib=resolved.limits.memory_gib,
        minutes=resolved.limits.minutes,
        jobs=place.jobs,
        user=images.worker(),
        labels=(("buildmatrix.work", work.id),),
        log=place.paths.log(work.stage, work.name),
    )


def _inputs(order: Order, workspace: Path, place: Workplace, recipe: Path) -> tuple[Mount, ...]:
    """All that a build or a runner needs, mounted read-only."""
    for need in order.needs:
        subject = need.subject
        if isinstance(subject, SourceSpec):
            place.sources.unpack(identify(subject), workspace / "src" / subject.name)
        elif isinstance(subject, ResolvedBuild):
            place.store.checkout(order.keys[need.id], workspace / "deps" / subject.recipe.name)
        elif isinstance(subject, ModelWork):
            place.store.checkout(order.keys[need.id], workspace / "model")
    for name, _sha in order.resolved.files:
        target = workspace / "recipe" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recipe / name, target)
    (workspace / "toolchain.cmake").write_text(order.cmake)
    mounts = [Mount(workspace / "toolchain.cmake", "/toolchain.cmake")]
    mounts += [
        Mount(workspace / name, f"/{name}")
        for name in ("src", "deps", "recipe", "model")
        if (workspace / name).exists()
    ]
    if order.work.stage is Stage.RUNNER:
        mounts.append(Mount(HARNESS, "/harness"))
    return tuple(mounts)


def provenance(work: Work, image: Identity | None, seconds: float, log: str) -> dict[str, object]:
    """How an entry was made, by which builder and in what; its key says what it was made from."""
    return {
        "seconds": round(seconds, 1),
        "builder": f"buildmatrix {__version__}",
        "image": image.image if image else "",
        "packages": list(image.packages) if image and work.stage is Stage.BUILD else [],
        "log": log,
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
