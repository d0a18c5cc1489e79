"""A compile sent to a worker: what it needs goes into the shared store, and comes back from it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from buildmatrix import images
from buildmatrix.errors import BuildError
from buildmatrix.pinned import identify
from buildmatrix.protocols import Output
from buildmatrix.recipe import SourceSpec
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.works import ModelWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from buildmatrix.nouns import Entry
    from buildmatrix.pipeline.compiling import Order
    from buildmatrix.pipeline.workplace import Workplace
    from buildmatrix.schedule.sizing import Machine
    from buildmatrix.toolchain import Toolchain


@dataclass(frozen=True, slots=True)
class Errand:
    """An order as it goes to a worker, with all that the shared store does not hold."""

    order: Order
    files: tuple[tuple[str, bytes], ...]  # of the recipe, by path in its folder
    tag: str  # of the order's image
    shared: str  # address of the shared store
    log: str  # where whoever sent it finds what the container printed


@dataclass(frozen=True, slots=True)
class Answer:
    """How an errand ended."""

    worker: str  # its address
    state: Literal["made", "failed", "stopped"]
    brief: str = ""  # of a failure, as the next two
    details: str = ""
    hint: str = ""
    log: bytes = b""  # all that the container printed, packed by zlib


class Executor(Protocol):
    """Whoever makes compiles elsewhere; several threads call it."""

    @property
    def machine(self) -> Machine:
        """What all workers together have."""
        ...

    def make(self, errand: Errand, on_line: Callable[[str], None]) -> Answer:
        """Have an errand made; what its container prints is handed out meanwhile.

        Raises BuildError when no worker can make it, KeyboardInterrupt once stopped.
        """
        ...

    def stop(self) -> None:
        """End all that was sent, called by another thread."""
        ...


def sent(order: Order, place: Workplace, executor: Executor, toolchain: Toolchain) -> Entry:
    """Have a worker make an order; what it made, out of the shared store. Raises BuildError."""
    work = order.work
    log = place.paths.log(work.stage, work.name)
    _lend(order, place)
    errand = Errand(
        order,
        tuple(
            (n, (order.resolved.recipe.folder / n).read_bytes()) for n, _ in order.resolved.files
        ),
        images.tag_of(toolchain),
        place.shared,
        str(log),
    )
    answer = executor.make(errand, lambda line: place.reporter.emit(Output(work.id, line)))
    if answer.log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(zlib.decompress(answer.log))
    if answer.state == "stopped":
        raise KeyboardInterrupt
    if answer.state == "failed":
        where = f"{work.id} on worker {answer.worker}"
        raise BuildError(answer.brief, where=where, details=answer.details, hint=answer.hint)
    entry = place.store.entry(order.key)
    if entry is None:
        raise BuildError(
            "it was made, and the shared store does not hold it",
            where=f"{work.id} on worker {answer.worker}",
            hint=f"let the worker write to {place.shared}",
        )
    return entry


def _lend(order: Order, place: Workplace) -> None:
    """Put what the order is made from into the shared store, where it is not there."""
    for need in order.needs:
        match need.subject:
            case SourceSpec():
                place.sources.lend(identify(need.subject))
            case ResolvedBuild() | ModelWork():
                place.store.lend(order.keys[need.id])
            case _:  # the image is lent when it is made or looked at
                continue
    if place.remote is None or not place.remote.answers:
        raise BuildError(
            "the shared store does not answer, and workers get all they need from there",
            where=order.work.id,
            hint="BUILDMATRIX_SHARED names it; without --executor all is made here",
        )
