"""Bundles onto boards: is the board fit and free, what is missing there, what would it take.

Everything is done over one connection. When nothing changed there is one question on it: what the
board is, and what stands there.
"""

from __future__ import annotations

import gzip
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from buildmatrix import deploy, device
from buildmatrix.agent import call
from buildmatrix.boards.reach import Access, connect, retried
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import Severity
from buildmatrix.protocols import Finished, Note, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from buildmatrix.agent import Mode
    from buildmatrix.nouns import BoardAddress, Bundle, DeviceInfo, Finding
    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.protocols import Connection, Level, ObjectReader, Reporter

T = TypeVar("T")
MARGIN_KIB = 16 * 1024  # left free on the board's disk beside the bundle
SHOWN = 3  # findings of the audit that explain one refusal


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants of a deploy, beside which cells go to which boards."""

    verify: bool = False  # hash what is there already, and mend it
    force: bool = False  # beside somebody's benchmark too
    keep: int = 0  # bundles of each cell that stay; 0: all of them
    quota_mib: int = 0  # for this deploy; 0: the device's own


@dataclass(frozen=True, slots=True)
class Means:
    """What a deploy works with: the way to boards, the store, who is told, and what is wished."""

    access: Access
    objects: ObjectReader
    reporter: Reporter
    wish: Wish = Wish()


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did on one board."""

    info: DeviceInfo
    bundles: tuple[Bundle, ...]
    pushed: deploy.Pushed
    refused: tuple[tuple[str, tuple[Finding, ...]], ...]  # (cell, why)
    seconds: float
    removed: int = 0  # old bundles


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a deploy would do on one board."""

    info: DeviceInfo
    bundles: tuple[Bundle, ...]
    forecast: deploy.Forecast
    refused: tuple[tuple[str, tuple[Finding, ...]], ...]
    busy: str  # whose benchmark is at work there


@dataclass(frozen=True, slots=True)
class Greeting:
    """A board that answered: what it is, what stands there, what can go there."""

    info: DeviceInfo
    listing: deploy.Listing
    fit: tuple[Bundle, ...]
    refused: tuple[tuple[str, tuple[Finding, ...]], ...]


@dataclass(slots=True)
class SayOnce:
    """Reports each text once, however often a lost connection begins anew."""

    reporter: Reporter
    already: set[str] = field(default_factory=set)

    def __call__(self, level: Level, text: str) -> None:
        if text not in self.already:
            self.already.add(text)
            self.reporter.emit(Note(level, text))


def deploy_all(cells: Sequence[Stored], board: BoardAddress, means: Means) -> Deployed:
    """Put the bundles of built cells on a board. A cell that cannot run there is not sent.

    Raises DeviceError when none can, when a benchmark is at work there (unless forced), and when
    the quota is too small.
    """
    began = time.monotonic()
    subject = f"deploy {board.name}"

    def put(connection: Connection, greeting: Greeting) -> Deployed:
        pushed, removed = _put(connection, board, greeting, means)
        seconds = time.monotonic() - began
        return Deployed(greeting.info, greeting.fit, pushed, greeting.refused, seconds, removed)

    done = _greeted(cells, board, means, subject, put)
    sent = f"{done.pushed.sent_objects} objects, {done.pushed.sent_bytes / 1e6:.1f} MB sent"
    means.reporter.emit(Finished(subject, "done", done.seconds, sent))
    return done


def foretell(cells: Sequence[Stored], board: BoardAddress, means: Means) -> Foretold:
    """What `deploy_all` would do, in bytes and seconds. Nothing is written on the board."""
    began = time.monotonic()
    subject = f"look at {board.name}"

    def look(connection: Connection, greeting: Greeting) -> Foretold:
        forecast = deploy.forecast(
            connection,
            greeting.fit,
            means.objects,
            quota_mib=means.wish.quota_mib or board.quota_mib,
            keep=means.wish.keep,
        )
        return Foretold(
            greeting.info, greeting.fit, forecast, greeting.refused, greeting.listing.busy
        )

    foretold = _greeted(cells, board, means, subject, look, writes=False)
    means.reporter.emit(Finished(subject, "done", time.monotonic() - began))
    return foretold


def roll_back(
    cells: Sequence[str], board: BoardAddress, *, access: Access, force: bool = False
) -> dict[str, str]:
    """Switch cells back to their previous bundles; the digests, by cell."""
    with connect(board, access) as connection:
        listing = deploy.glance(connection)
        there = [cell for cell in cells if cell in listing.active]
        if not there:
            raise DeviceError(f"none of the selected cells is on {board.name}")
        _refuse_while_measuring(board.name, listing, force=force)
        return {cell: deploy.rollback(connection, cell) for cell in there}


def _greeted(
    cells: Sequence[Stored],
    board: BoardAddress,
    means: Means,
    subject: str,
    work: Callable[[Connection, Greeting], T],
    *,
    writes: bool = True,
) -> T:
    """Do the work on a board that is fit for some of the bundles; again when the link broke."""
    say = SayOnce(means.reporter)
    means.reporter.emit(Started(subject, f"{len(cells)} bundles, {board.host}"))

    def attempt() -> T:
        with connect(board, means.access) as connection:
            answer = question(connection, writes=writes)
            return work(connection, _greet(answer, board, cells, say))

    return retried(attempt, means.reporter, subject)


def question(connection: Connection, *, writes: bool = True) -> bytes:
    """What is the board, and what stands there: one round trip, compressed on the way."""
    line = f"{{ {device.QUESTION}; {deploy.QUESTION}; }} | gzip -c"
    mode: Mode = "keep" if writes else "look"
    answer = call(connection, line, timeout=deploy.SHORT, mode=mode).stdout
    try:
        return gzip.decompress(answer)
    except (OSError, EOFError, zlib.error) as error:
        raise DeviceError(
            f"the board's answer is damaged: {error}",
            details=ascii(answer[:200]),
            hint="see that `gzip` works there, and that nothing prints in the background",
        ) from error


def _greet(answer: bytes, board: BoardAddress, cells: Sequence[Stored], say: SayOnce) -> Greeting:
    about = device.parse(board.name, answer.decode(errors="replace"), now=time.time())
    fit, refused = _gate(about, cells, say)
    return Greeting(about, deploy.read_listing(answer), fit, refused)


def _put(
    connection: Connection,
    board: BoardAddress,
    greeting: Greeting,
    means: Means,
) -> tuple[deploy.Pushed, int]:
    """What was pushed, and how many old bundles had to go for it, or were asked to."""
    wish = means.wish
    todo = wish.verify or deploy.unsettled(greeting.fit, greeting.listing)
    if todo or wish.keep:
        _refuse_while_measuring(board.name, greeting.listing, force=wish.force)
    removed = 0
    quota = wish.quota_mib or board.quota_mib
    if todo and quota:
        removed = deploy.make_room(connection, greeting.fit, means.objects, quota_mib=quota)
        if removed:
            text = f"{board.name}: {removed} old bundles removed, the quota is {quota} MiB"
            means.reporter.emit(Note("info", text))
    pushed = deploy.push(
        connection,
        greeting.fit,
        means.objects,
        reporter=means.reporter,
        subject=f"deploy {board.name}",
        verify=wish.verify,
        known=greeting.listing,
    )
    if wish.keep:
        removed += deploy.prune(connection, keep=wish.keep)
    return pushed, removed


def _refuse_while_measuring(name: str, listing: deploy.Listing, *, force: bool) -> None:
    """Raise DeviceError, unless forced, while a benchmark runs: writing to the card would spoil
    the figures of the person who measures."""
    if listing.busy and not force:
        raise DeviceError(
            f"{name} is measuring for {listing.busy}, and a deploy would disturb that",
            hint="wait for its end (inv device list shows how far it is), or add --force",
        )


def _gate(
    about: DeviceInfo, cells: Sequence[Stored], say: SayOnce
) -> tuple[tuple[Bundle, ...], tuple[tuple[str, tuple[Finding, ...]], ...]]:
    """The bundles that can run on a board, and the cells refused with why.

    Raises DeviceError when no bundle is left.
    """
    machines = {one.cell.id: one.target.machine for one in cells}
    ours = device.meant_for(about, machines)
    if len(ours) < len(cells):
        others = ", ".join(cell for cell in machines if cell not in ours)
        say("info", f"{about.name} is {about.elf_machine}; left out, for other machines: {others}")
    fit, refused = [], []
    for one in cells:
        if one.cell.id not in ours or one.bundle is None:
            continue
        needs_kib = one.bundle.size // 1024 + MARGIN_KIB
        findings = device.unfit(about, one.target, needs_kib=needs_kib)
        errors = tuple(f for f in findings if f.severity is Severity.ERROR)
        for doubt in (f for f in findings if f not in errors):
            say("warning", f"{doubt.code} {about.name}: {doubt.message}")
        if errors:
            facts = one.audit.facts if one.audit else ()
            because = device.explained(about, one.target, facts, errors)
            _refuse(about.name, one.cell.id, errors, because, say)
            refused.append((one.cell.id, (*errors, *because)))
        else:
            fit.append(one.bundle)
    if not fit:
        raise DeviceError(
            f"no bundle can run on {about.name}", hint="see the findings above; `inv device info`"
        )
    return tuple(fit), tuple(refused)


def _refuse(
    name: str, cell: str, errors: Sequence[Finding], because: Sequence[Finding], say: SayOnce
) -> None:
    """Report why a cell cannot run on a board, with the files that explain it."""
    for error in errors:
        say("error", f"{error.code} {cell} cannot run on {name}: {error.message}; {error.hint}")
    for reason in because[:SHOWN]:
        say("error", f"{reason.code} {cell}: {reason.file}: {reason.message}")
    if len(because) > SHOWN:
        say("error", f"{cell}: and {len(because) - SHOWN} more files of that kind")
