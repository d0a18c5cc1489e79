"""Benchmark runs: asked for, begun on the board, collected, judged, taken again, stored."""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__, bench, device
from buildmatrix.bench.journal import parse
from buildmatrix.bench.order import further, retakes
from buildmatrix.bench.request import VERSION, Entrant, Request, request_of, run_id
from buildmatrix.bench.verdict import Golden, measurements
from buildmatrix.boards.reach import visit
from buildmatrix.errors import BenchError, DeviceError, InputError
from buildmatrix.network import ImportedNetwork, NetworkSpec, QuantizedNetwork, origin
from buildmatrix.nouns import ALL_CORES, Run, Severity
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.summary import rows, wide
from buildmatrix.workload import answerer
from buildmatrix.workload import version as model_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from buildmatrix.bench.order import Block
    from buildmatrix.bench.runstate import RunState
    from buildmatrix.boards.reach import Access
    from buildmatrix.nouns import BoardAddress, DeviceInfo, Measurement
    from buildmatrix.pipeline.project import Project
    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Connection, ObjectReader, Reporter
    from buildmatrix.results import Results
    from buildmatrix.settings import Settings
    from buildmatrix.workload import Workload

POLL = 4.0  # seconds between looks; each look costs the board some CPU
JOURNAL_KIB = 8 * 1024  # room that a run's journal and output may take on the board


@dataclass(frozen=True, slots=True)
class Lab:
    """What a measurement needs beside a board: the cells as they are stored, and where the
    results go."""

    project: Project  # its first cell's model is the one that is measured
    cells: Mapping[str, Stored]
    objects: ObjectReader
    results: Callable[[], Results]  # opens the file of all measurements
    reporter: Reporter


def lab(workshop: Workshop) -> Lab:
    """The workshop's cells, looked up in its store, ready to be measured."""
    return Lab(
        workshop.project,
        stored(workshop),
        workshop.store,
        workshop.results,
        workshop.reporter,
    )


def ask(lab: Lab, settings: Settings, owner: str) -> Request:
    """What is to be measured: the selected, built cells of one model at these settings.

    `owner` is user@machine, for whoever finds the board busy.
    """
    net = lab.project.network
    cells = shippable(lab.cells.values(), model=net.name)
    others = [model for model in lab.project.models if model != net.name]
    if others:
        text = (
            f"a run is of one model, now {net.name}; then: inv bench --model {' or '.join(others)}"
        )
        lab.reporter.emit(Note("info", text))
    return Request(
        run=_new_id(),
        model=net.name,
        model_version=model_version(net),
        entrants=tuple(
            Entrant(one.cell.id, one.bundle.digest, one.made_with) for one in cells if one.bundle
        ),
        tool=__version__,
        owner=owner,
        **settings.chosen(),
    )


def replayed(lab: Lab, run: str, owner: str) -> Request:
    """A stored run once more: the same bundles, settings, seed and so the same order."""
    with lab.results() as results:
        before = request_of(results.run(run).request)
    net = lab.project.networks.get(before.model)
    if net is None or before.model_version != model_version(net):
        raise InputError(
            f"run {before.run} measured another version of the model '{before.model}'",
            hint="replay it with the matrix and model that it was made with",
        )
    return replace(before, run=_new_id(), owner=owner, tool=__version__, version=VERSION)


def _new_id() -> str:
    return run_id(datetime.now(UTC), secrets.token_hex(3))


def fitted(lab: Lab, board: BoardAddress, request: Request, *, access: Access) -> Request:
    """The request as the board can have it: without the cells that are for another machine, with
    the board's own meter, and bound to processors by their numbers.

    Raises InputError for processors that the board does not have.
    """
    meter = board.power
    request = replace(
        request,
        power=meter.command if meter else "",
        power_of=meter.measures if meter else "",
    )
    machines = {
        entrant.cell: lab.cells[entrant.cell].target.place
        for entrant in request.entrants
        if entrant.cell in lab.cells
    }
    if len(set(machines.values())) < 2 and request.cores == ALL_CORES:
        return request

    def ask(connection: Connection) -> DeviceInfo:
        return device.probe(connection, board.name)

    about = visit(board, access, ask, lab.reporter, board.name)
    ours = device.meant_for(about, machines)
    others = machines.keys() - set(ours)
    return replace(
        request,
        cores=device.numbered(about, request.cores),
        entrants=tuple(e for e in request.entrants if e.cell not in others),
    )


def start(lab: Lab, board: BoardAddress, request: Request, *, access: Access) -> RunState:
    """Begin a detached run on the board, or attach to the one that is there.

    Raises DeviceError when a bundle cannot run there.
    """

    def begin(connection: Connection) -> RunState:
        if bench.state(connection).status == "none":  # a run that is there goes on anyway
            _gate(lab, device.probe(connection, board.name), request)
        return bench.start(connection, request)

    run = visit(board, access, begin, lab.reporter, board.name)
    if run.run != request.run:
        text = (
            f"{board.name} holds run {run.run} of {run.owner or 'somebody'} "
            f"({run.done} of {run.total} blocks done): attached to it"
        )
        lab.reporter.emit(Note("warning", text))
    return run


def _gate(lab: Lab, about: DeviceInfo, request: Request) -> None:
    """Hold the board against what is to run there once more: it may have changed since the deploy.

    Raises DeviceError when something cannot run.
    """
    cells = [lab.cells[e.cell] for e in request.entrants if e.cell in lab.cells]
    findings = {
        finding.message: finding
        for target in dict.fromkeys(one.target for one in cells)
        for finding in device.unfit(about, target, needs_kib=JOURNAL_KIB)
    }
    errors = [f for f in findings.values() if f.severity is Severity.ERROR]
    for finding in findings.values():
        text = f"{finding.code} {about.name}: {finding.message}"
        lab.reporter.emit(Note("error" if finding in errors else "warning", text))
    if errors:
        raise DeviceError(f"{about.name} cannot be measured", hint=errors[0].hint)


def measure(
    lab: Lab,
    board: BoardAddress,
    request: Request,
    *,
    access: Access,
    deadline: float,
    label: str = "",
    follow: bool = True,
) -> tuple[Measurement, ...]:
    """Run and collect. A run found on the board is collected first; unless it asked for the same,
    ours follows it, with `follow`: who gave no settings wants what is there."""
    request = fitted(lab, board, request, access=access)
    run = start(lab, board, request, access=access)
    blocks = collect(lab, board, access=access, deadline=deadline, label=label)
    if run.request is None or not follow or _same_work(run.request, request):
        return blocks
    lab.reporter.emit(Note("info", f"run {run.run} asked for something else: now ours"))
    start(lab, board, request, access=access)
    return collect(lab, board, access=access, deadline=deadline, label=label)


def _same_work(one: Request, other: Request) -> bool:
    return replace(one, run="", tool="", owner="") == replace(other, run="", tool="", owner="")


def collect(
    lab: Lab,
    board: BoardAddress,
    *,
    access: Access,
    deadline: float,
    label: str = "",
) -> tuple[Measurement, ...]:
    """Wait for the board's run, judge it, have void blocks taken again, store it, then take it off
    the board.

    A dropped connection loses nothing: the run goes on, and collecting goes on after it.
    """
    subject = f"bench {board.name}"
    lab.reporter.emit(Started(subject, "waiting for the run on the board"))
    began = time.monotonic()

    def wait(connection: Connection) -> _Settled:
        about = device.probe(connection, board.name)
        return _settled(lab, connection, about, subject, began + deadline)

    settled = visit(board, access, wait, lab.reporter, subject)
    request, about, blocks = settled.request, settled.about, settled.blocks
    run = Run(
        id=request.run,
        device=about.name,
        emulated=bool(about.emulated),
        request=asdict(request),
        journal=settled.journal,
        collected_at=datetime.now(UTC).isoformat(timespec="seconds"),
        label=label,
    )
    with lab.results() as results:
        new = results.insert(blocks, run)

    def forget(connection: Connection) -> None:
        bench.forget(connection, request.run)

    visit(board, access, forget, lab.reporter, subject)
    seconds = time.monotonic() - began
    lab.reporter.emit(Finished(subject, "done", seconds, f"{new} new blocks of run {request.run}"))
    return blocks


@dataclass(frozen=True, slots=True)
class _Settled:
    """A finished run in which no void block is left that may be taken again."""

    request: Request
    journal: str
    about: DeviceInfo
    blocks: tuple[Measurement, ...]


def _settled(
    lab: Lab, connection: Connection, about: DeviceInfo, subject: str, end: float
) -> _Settled:
    """Collect, judge, and have void blocks taken again until none is left, or `end` is there."""
    while True:
        collected = bench.collect(
            connection,
            reporter=lab.reporter,
            deadline=max(1.0, end - time.monotonic()),
            poll=POLL,
        )
        request = collected.request
        journal = parse(collected.journal)
        blocks = measurements(journal.blocks, request, golden=golden(lab, request), device=about)
        again = retakes(blocks, request)
        more = again or narrowing(blocks, request)
        if not more:
            return _Settled(request, collected.journal, about, blocks)
        count = sum(not block.sentinel for block in more)
        if again:
            words = f"{count} {'blocks were' if count > 1 else 'block was'} void; once more"
            lab.reporter.emit(Note("warning", f"{subject}: {words}"))
        else:
            words = f"{count} rows are not yet within {request.until:.2%}; another round of them"
            lab.reporter.emit(Note("info", f"{subject}: {words}"))
        bench.extend(connection, request, more)


def narrowing(blocks: Sequence[Measurement], request: Request) -> tuple[Block, ...]:
    """A round more of the rows whose intervals are wider than was asked for."""
    if not request.until:
        return ()
    return further(blocks, request, [(r.cell, r.batch) for r in wide(rows(blocks), request.until)])


def golden(lab: Lab, request: Request) -> Golden:
    """The expected output, from the model that went into the bundles."""
    nets = lab.project.networks
    net = nets.get(request.model)
    if net is None or request.model_version != model_version(net):
        ours = ", ".join(f"'{name}' {model_version(one)}" for name, one in nets.items())
        raise BenchError(
            f"the run on the board used model '{request.model}' {request.model_version}, "
            f"this matrix has {ours}",
            hint="collect it with the matrix that started it",
        )
    tolerances = {str(name): allowed for name, allowed in net.tolerance.items()}
    step = net.step if isinstance(net, QuantizedNetwork) else 0.0
    expected = expected_output(lab, net.name)
    return Golden(expected, tolerances, labels(net), step, answerer(net))


def labels(net: Workload) -> tuple[int, ...]:
    """The outputs that are right for the pictures that were held out, where the model has any."""
    trained = origin(net) if isinstance(net, NetworkSpec) else None
    if not isinstance(trained, ImportedNetwork) or not trained.held_out:
        return ()
    from buildmatrix.imported import held_out

    return held_out(trained)[1]


def expected_output(lab: Lab, model: str) -> Sequence[float]:
    """Of a network for its one input image, by whom `workload.answerer` names."""
    records = [one.expected for one in lab.cells.values() if one.cell.model == model]
    record = next((record for record in records if record is not None), None)
    if record is None:
        raise BenchError("the model's expected output is not in the store", hint="run `inv build`")
    with lab.objects.open(record.sha256) as stream:
        return struct.unpack(f"<{record.size // 8}d", stream.read())
