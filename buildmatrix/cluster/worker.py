"""A worker's side: what a Dask worker makes of the errands that it is sent."""

from __future__ import annotations

import threading
import time
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from buildmatrix import disk, extras, images, scratch
from buildmatrix.cluster.errands import EXTENSION, offer
from buildmatrix.errors import BuildError, BuildmatrixError, DamageError
from buildmatrix.pinned import identify
from buildmatrix.pipeline import compiling
from buildmatrix.pipeline.sending import Answer
from buildmatrix.protocols import Note, Output
from buildmatrix.recipe import SourceSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from buildmatrix.pipeline.sending import Errand
    from buildmatrix.pipeline.workplace import Workplace
    from buildmatrix.protocols import Event

EVERY = 0.2  # seconds between bundles of lines that go back
TRIES = 3  # of an errand whose inputs turn out to be damaged on this disk: they are taken again


def perform(errand: Errand, build: str) -> Answer:
    """The task that goes to Dask: runs on the worker."""
    from distributed import get_worker

    worker = get_worker()
    station: Station = worker.extensions[EXTENSION]
    send = lambda message: worker.log_event(build, message)  # noqa: E731
    return station.make(errand, build, worker.address, send)


def stop(build: str, dask_worker: Any) -> None:
    """Runs on each worker beside its tasks: ends all that it makes for a build."""
    if EXTENSION in dask_worker.extensions:
        dask_worker.extensions[EXTENSION].stop(build)


class Lines:
    """A Reporter that sends what containers print, some lines at a time, by work."""

    def __init__(self, send: Callable[[Mapping[str, object]], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._waiting: dict[str, list[str]] = {}
        self._timer: threading.Timer | None = None

    def emit(self, event: Event) -> None:
        match event:
            case Output(subject, line):
                with self._lock:
                    self._waiting.setdefault(subject, []).append(line)
                    if self._timer is None:
                        self._timer = threading.Timer(EVERY, self.flush)
                        self._timer.daemon = True
                        self._timer.start()
            case Note(level, message) if level != "info":
                self._send({"note": message})
            case _:
                pass

    def flush(self) -> None:
        with self._lock:
            waiting, self._waiting, self._timer = self._waiting, {}, None
        for work, lines in waiting.items():
            self._send({"work": work, "lines": lines})


class Station:
    """What a worker process has for all who send it errands; several threads call it.

    `place` is its own workplace, from whose engine goes what its dead predecessors left running.
    """

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._builds: dict[str, tuple[Workplace, Lines]] = {}
        self._at_work: dict[str, int] = {}
        self._stopped: set[str] = set()

    @property
    def offer(self) -> Mapping[str, float]:
        machine = self.place.machine
        return offer(machine.compiles, machine.memory_mib)

    def make(
        self, errand: Errand, build: str, name: str, send: Callable[[Mapping[str, object]], None]
    ) -> Answer:
        """Make an errand of a build and put what came of it into the shared store."""
        with self._lock:
            if build in self._stopped:
                return Answer(name, "stopped")
            if build not in self._builds:
                lines = Lines(send)
                self._builds[build] = (self._place(errand, lines), lines)
            place, lines = self._builds[build]
            self._at_work[build] = self._at_work.get(build, 0) + 1
        try:
            return _answered(errand, place, name)
        finally:
            lines.flush()
            self._leave(build)

    def _place(self, errand: Errand, lines: Lines) -> Workplace:
        """A place in the same folder, whose containers can be stopped without those of others."""
        place = replace(
            self.place,
            reporter=lines,
            shared=self.place.shared or errand.shared,
            stopping=threading.Event(),
        )
        place.owner = self.place.owner
        return place

    def _leave(self, build: str) -> None:
        with self._lock:
            self._at_work[build] -= 1
            if not self._at_work[build]:
                del self._at_work[build]
                place, _ = self._builds.pop(build)
                place.close()

    def stop(self, build: str) -> None:
        """End what is made for a build, and begin nothing more for it."""
        with self._lock:
            self._stopped.add(build)
            place, _ = self._builds.get(build, (None, None))
        if place is not None:
            place.stop()


def _answered(errand: Errand, place: Workplace, name: str) -> Answer:
    began = time.time()
    log = place.paths.log(errand.order.work.stage, errand.order.work.name)
    try:
        _make(errand, place)
        answer = Answer(name, "made")
    except KeyboardInterrupt:
        return Answer(name, "stopped")
    except BuildmatrixError as error:
        answer = _failed(name, error)
    except OSError as failure:
        answer = _failed(name, disk.explained(failure, [place.paths.root.absolute()]))
    except ModuleNotFoundError as absent:
        answer = _failed(name, extras.explained(absent))
    return replace(answer, log=zlib.compress(_written(log, began)))


def _failed(name: str, error: BuildmatrixError) -> Answer:
    return Answer(name, "failed", error.brief, error.details, error.hint)


def _written(log: Path, since: float) -> bytes:
    """A log of now; nothing where the container did not begin."""
    try:
        return log.read_bytes() if log.stat().st_mtime >= since - 1 else b""
    except FileNotFoundError:
        return b""


def _make(errand: Errand, place: Workplace) -> None:
    order = errand.order
    with place.store.lock(order.key):
        for last in _tries():
            try:
                if place.store.entry(order.key) is None:  # nobody made it meanwhile
                    _compile(errand, place)
                break
            except DamageError:
                if last:
                    raise
        place.store.lend(order.key)
    if place.remote is None or not place.remote.answers:
        raise BuildError(
            f"the shared store {place.shared} does not answer here",
            hint="mount it, or give the worker its credentials; BUILDMATRIX_SHARED in its "
            "environment names it as it is called there",
        )


def _tries() -> Iterator[bool]:
    """Whether it is the last one."""
    return (number == TRIES for number in range(1, TRIES + 1))


def _compile(errand: Errand, place: Workplace) -> None:
    order = errand.order

    def say(line: str) -> None:
        place.reporter.emit(Output(order.work.id, line))

    for need in order.needs:
        if isinstance(source := need.subject, SourceSpec) and not place.sources.holds(
            identify(source)
        ):
            place.sources.fetch(source, identify(source), base=place.state, subject=order.work.id)
    image = images.present(
        order.image,
        errand.tag,
        engine=place.engine,
        remote=place.remote,
        state=place.state,
        say=say,
    )
    with scratch.folder(place.store.root / "tmp", "recipe-") as recipe:
        for path, content in errand.files:
            (recipe / path).parent.mkdir(parents=True, exist_ok=True)
            (recipe / path).write_bytes(content)
        jobs = place.machine.processes(place.machine.compiles)
        compiling.made(order, place, image=image, recipe=recipe, jobs=jobs, told_log=errand.log)
