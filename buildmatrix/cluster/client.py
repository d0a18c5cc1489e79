"""The sender's side: workers behind a Dask scheduler as one large machine."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from buildmatrix.cluster import worker
from buildmatrix.cluster.errands import ANY, claim, memory, slots, version
from buildmatrix.cluster.reaching import CONNECT, as_dask_says, connected
from buildmatrix.errors import BuildError, BuildmatrixError
from buildmatrix.protocols import Note
from buildmatrix.schedule.sizing import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from buildmatrix.pipeline.sending import Answer, Errand
    from buildmatrix.protocols import Reporter

PATIENCE = 60.0  # seconds to wait for a worker, at first or after all were lost
LOOK = 2.0  # seconds between looks whether there still is one
GRACE = 12.0  # seconds that workers have to end their containers


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker that can make compiles of this version."""

    address: str
    cores: int
    compiles: int
    memory_mib: int


class Cluster:
    """An Executor on all workers of a Dask scheduler. Close it when done.

    Raises UsageError for an address of another kind, BuildmatrixError when no scheduler answers
    there, or has no worker of this version.
    """

    def __init__(self, address: str, reporter: Reporter, *, patience: float = PATIENCE) -> None:
        self.address, self.reporter, self.patience = address, reporter, patience
        self.build = f"buildmatrix-{uuid4().hex}"
        self._lines: dict[str, Callable[[str], None]] = {}
        self._stopping = threading.Event()
        self._futures: set[Any] = set()
        self.client = connected(address)
        self.client.subscribe_topic(self.build, self._hear)
        self.client.subscribe_topic("all", self._hear_of_workers)
        try:
            self._seats = self._first_seats()
        except BaseException:
            self.client.close()
            raise
        words = f"{address}: {len(self._seats)} workers, {self.machine.cores} cores"
        reporter.emit(Note("info", words))

    @property
    def machine(self) -> Machine:
        """All workers that were there at the beginning, together."""
        return Machine(
            cores=sum(seat.cores for seat in self._seats),
            memory_mib=sum(seat.memory_mib for seat in self._seats),
            slots=sum(seat.compiles for seat in self._seats),
        )

    def close(self) -> None:
        """Let go of the scheduler."""
        self.client.close(timeout=CONNECT)

    # -- making ----------------------------------------------------------------------------------

    def make(self, errand: Errand, on_line: Callable[[str], None]) -> Answer:
        """Have an errand made by a worker that has room; see `sending.Executor`."""
        work = errand.order.work.id
        if self._stopping.is_set():
            raise KeyboardInterrupt
        self._lines[work] = on_line
        largest = max(seat.memory_mib for seat in self._seats)
        wanted = min(errand.order.resolved.limits.memory_gib << 10, largest)
        try:
            future = self.client.submit(
                worker.perform,
                errand,
                self.build,
                key=f"{work} {uuid4().hex[:8]}",
                pure=False,
                resources=dict(claim(wanted)),
            )
            self._futures.add(future)
            try:
                return self._awaited(future, work)
            finally:
                self._futures.discard(future)
        finally:
            self._lines.pop(work, None)

    def _awaited(self, future: Any, work: str) -> Answer:
        """The answer, waited for as long as there is a worker that can give it."""
        from distributed import KilledWorker

        gone_since: float | None = None
        while True:
            try:
                answer: Answer = future.result(timeout=LOOK)
            except TimeoutError:
                gone_since = self._gone_since(gone_since, work)
            except CancelledError:
                if self._stopping.is_set():
                    raise KeyboardInterrupt from None
                raise self._no_scheduler() from None
            except KilledWorker as killed:
                raise BuildError(
                    f"{killed.allowed_failures + 1} workers died one after the other while they "
                    "made it",
                    where=work,
                    hint="look into the workers' logs; fewer threads or more memory may help",
                ) from None
            else:
                return answer

    def _gone_since(self, before: float | None, work: str) -> float | None:
        """Since when there has been no worker; None while there is one. Dask itself waits for
        ever."""
        if self._stopping.is_set():
            raise KeyboardInterrupt
        if self.client.status != "running":
            raise self._no_scheduler()
        if _seats(self._rows()):
            return None
        if before is None:
            words = f"no worker is left: waiting {self.patience:.0f} s for one"
            self.reporter.emit(Note("warning", words))
            return time.monotonic()
        if time.monotonic() - before > self.patience:
            raise BuildError(
                "no worker is left that could make it", where=work, hint=_start_one(self.address)
            )
        return before

    def _no_scheduler(self) -> BuildError:
        return BuildError(
            f"the scheduler at {self.address} is gone",
            hint="run the command again once it is there: what was finished is kept",
        )

    def stop(self) -> None:
        """End what was sent: containers on workers, and all that waits for one."""
        self._stopping.set()
        ending = threading.Thread(target=self._end, daemon=True)
        ending.start()
        ending.join(GRACE)

    def _end(self) -> None:
        try:
            self.client.run(worker.stop, self.build, on_error="ignore")
            self.client.cancel(list(self._futures), force=True)
        except (OSError, RuntimeError, TimeoutError, ValueError):  # no scheduler, no containers
            return

    # -- workers ---------------------------------------------------------------------------------

    def _first_seats(self) -> tuple[Seat, ...]:
        """The workers that can be used, waited for. Raises BuildmatrixError where there is none."""
        end = time.monotonic() + self.patience
        told = False
        while not (rows := self._rows()):
            if time.monotonic() > end:
                raise BuildmatrixError(
                    f"the scheduler at {self.address} has no worker", hint=_start_one(self.address)
                )
            if not told:
                words = f"{self.address} has no worker yet: waiting {self.patience:.0f} s for one"
                self.reporter.emit(Note("info", words))
                told = True
            time.sleep(0.5)
        of_another = [address for address, row in rows.items() if _is_of_another(row)]
        if seats := _seats(rows):
            if of_another:
                words = f"{', '.join(of_another)}: of another buildmatrix than this ({version()}), "
                self.reporter.emit(Note("warning", f"{words}so nothing is made there"))
            return seats
        if of_another:
            raise BuildmatrixError(
                f"every worker of {self.address} is of another buildmatrix than this one",
                details="\n".join(of_another),
                hint=f"install this version there: {version()}",
            )
        raise BuildmatrixError(
            f"none of the {len(rows)} workers of {self.address} is one of buildmatrix's",
            details="\n".join(rows),
            hint="start each with --preload buildmatrix.cli.worker; its log says why that failed, "
            "where it has that",
        )

    def _rows(self) -> Mapping[str, Any]:
        """What the scheduler says of its workers, by address; nothing between two schedulers."""
        try:
            rows: Mapping[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
        except OSError:
            return {}
        return rows

    # -- what is heard meanwhile -----------------------------------------------------------------

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        match message:
            case {"work": str(work), "lines": [*lines]}:  # a tuple, out of msgpack
                self._hand_out(work, lines)
            case {"note": str(note), "worker": str(name)}:
                self.reporter.emit(Note("warning", f"worker {name}: {note}"))
            case _:
                pass

    def _hand_out(self, work: str, lines: Iterable[str]) -> None:
        if (on_line := self._lines.get(work)) is not None:
            for line in lines:
                on_line(line)

    def _hear_of_workers(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        if message.get("action") == "remove-worker" and not message.get("expected"):
            words = f"worker {message['worker']} is lost: what it made is begun again elsewhere"
            self.reporter.emit(Note("warning", words))


def _seats(rows: Mapping[str, Any]) -> tuple[Seat, ...]:
    return tuple(
        Seat(
            address,
            cores=int(row["nthreads"]),
            compiles=int(row["resources"][slots()]),
            memory_mib=int(row["resources"][memory()]),
        )
        for address, row in rows.items()
        if slots() in row["resources"]
    )


def _is_of_another(row: Mapping[str, Any]) -> bool:
    return ANY in row["resources"] and slots() not in row["resources"]


def _start_one(address: str) -> str:
    return f"on each: dask worker {as_dask_says(address)} --preload buildmatrix.cli.worker"
