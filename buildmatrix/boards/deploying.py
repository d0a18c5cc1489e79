"""Bundles onto boards: is the board fit and free, what is missing there, what would it take.

Everything is done over one connection. When nothing changed there is one question on it: what the
board is, and what stands there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from buildmatrix import deploy, device, factsheet
from buildmatrix.boards.reach import Access, bundles, connect, retried, target_of
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import ElfFacts, Severity
from buildmatrix.pipeline.perform import audit_of, plan_all
from buildmatrix.protocols import Finished, Note, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from buildmatrix.nouns import BoardAddress, Bundle, DeviceInfo, Finding
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Connection, Level

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
class _Told:
    """Says each thing once, however often a lost connection begins anew."""

    workshop: Workshop
    already: set[str] = field(default_factory=set)

    def __call__(self, level: Level, text: str) -> None:
        if text not in self.already:
            self.already.add(text)
            self.workshop.reporter.emit(Note(level, text))


def deploy_all(
    workshop: Workshop, target: BoardAddress, *, access: Access, wish: Wish | None = None
) -> Deployed:
    """Put the selected, built cells on a board. A cell that cannot run there is not sent.

    Raises DeviceError when none can, when a benchmark is at work there (unless forced), and when
    the quota is too small.
    """
    asked = wish or Wish()
    began = time.monotonic()
    subject = f"deploy {target.name}"

    def put(connection: Connection, greeting: Greeting) -> Deployed:
        pushed, removed = _put(workshop, connection, target, greeting, asked)
        seconds = time.monotonic() - began
        return Deployed(greeting.info, greeting.fit, pushed, greeting.refused, seconds, removed)

    done = _greeted(workshop, target, access, subject, put)
    said = f"{done.pushed.sent_objects} objects, {done.pushed.sent_bytes / 1e6:.1f} MB sent"
    workshop.reporter.emit(Finished(subject, "done", done.seconds, said))
    return done


def foretell(
    workshop: Workshop, target: BoardAddress, *, access: Access, wish: Wish | None = None
) -> Foretold:
    """What `deploy_all` would do, in bytes and seconds. Nothing is written on the board."""
    asked = wish or Wish()
    began = time.monotonic()
    subject = f"look at {target.name}"

    def look(connection: Connection, greeting: Greeting) -> Foretold:
        forecast = deploy.forecast(
            connection,
            greeting.fit,
            workshop.store,
            quota_mib=asked.quota_mib or target.quota_mib,
            keep=asked.keep,
        )
        return Foretold(
            greeting.info, greeting.fit, forecast, greeting.refused, greeting.listing.busy
        )

    found = _greeted(workshop, target, access, subject, look)
    workshop.reporter.emit(Finished(subject, "done", time.monotonic() - began))
    return found


def roll_back(
    workshop: Workshop, target: BoardAddress, *, access: Access, force: bool = False
) -> dict[str, str]:
    """Switch the selected cells back to their previous bundles; the digests, by cell."""
    with connect(target, access) as connection:
        listing = deploy.glance(connection)
        cells = [cell.id for cell in workshop.project.cells if cell.id in listing.active]
        if not cells:
            raise DeviceError(f"none of the selected cells is on {target.name}")
        _free(target.name, listing, force=force)
        return {cell: deploy.rollback(connection, cell) for cell in cells}


def _greeted(
    workshop: Workshop,
    target: BoardAddress,
    access: Access,
    subject: str,
    work: Callable[[Connection, Greeting], T],
) -> T:
    """Do the work on a board that is fit for some of the bundles; again when the link broke."""
    everything = bundles(workshop)
    told = _Told(workshop)
    workshop.reporter.emit(Started(subject, f"{len(everything)} bundles, {target.host}"))

    def attempt() -> T:
        with connect(target, access) as connection:
            return work(connection, _greet(workshop, connection, target, everything, told))

    return retried(attempt, workshop, subject)


def _greet(
    workshop: Workshop,
    connection: Connection,
    target: BoardAddress,
    everything: tuple[Bundle, ...],
    told: _Told,
) -> Greeting:
    """One question, two answers: what is the board, and what stands there."""
    result = connection.run(device.question() + deploy.question(), timeout=deploy.SHORT)
    text = result.stdout.decode(errors="replace")
    about = device.parse(target.name, text, now=time.time())
    fit, refused = _gate(workshop, about, everything, told)
    return Greeting(about, deploy.read_listing(result.stdout), fit, refused)


def _put(
    workshop: Workshop, connection: Connection, target: BoardAddress, greeting: Greeting, wish: Wish
) -> tuple[deploy.Pushed, int]:
    """What was pushed, and how many old bundles had to go for it, or were asked to."""
    todo = wish.verify or deploy.unsettled(greeting.fit, greeting.listing)
    if todo or wish.keep:
        _free(target.name, greeting.listing, force=wish.force)
    removed = 0
    quota = wish.quota_mib or target.quota_mib
    if todo and quota:
        removed = deploy.make_room(connection, greeting.fit, workshop.store, quota_mib=quota)
        if removed:
            text = f"{target.name}: {removed} old bundles removed, the quota is {quota} MiB"
            workshop.reporter.emit(Note("info", text))
    pushed = deploy.push(
        connection,
        greeting.fit,
        workshop.store,
        reporter=workshop.reporter,
        subject=f"deploy {target.name}",
        verify=wish.verify,
        known=greeting.listing,
    )
    if wish.keep:
        removed += deploy.prune(connection, keep=wish.keep)
    return pushed, removed


def _free(name: str, listing: deploy.Listing, *, force: bool) -> None:
    """Whoever writes to the card while somebody measures spoils his figures."""
    if listing.busy and not force:
        raise DeviceError(
            f"{name} is measuring for {listing.busy}, and a deploy would disturb that",
            hint="wait for its end (inv device list shows how far it is), or add --force",
        )


def _gate(
    workshop: Workshop, about: DeviceInfo, everything: tuple[Bundle, ...], told: _Told
) -> tuple[tuple[Bundle, ...], tuple[tuple[str, tuple[Finding, ...]], ...]]:
    """Refuse early: compare each bundle's target with the board. Raises when none is left."""
    targets = {bundle.cell: target_of(workshop, bundle.cell) for bundle in everything}
    ours = device.meant_for(about, {cell: target.machine for cell, target in targets.items()})
    if len(ours) < len(everything):
        others = ", ".join(cell for cell in targets if cell not in ours)
        told("info", f"{about.name} is {about.elf_machine}; left out, for other machines: {others}")
    fit, refused = [], []
    for bundle in (b for b in everything if b.cell in ours):
        target = targets[bundle.cell]
        findings = device.unfit(about, target, needs_kib=bundle.size // 1024 + MARGIN_KIB)
        errors = tuple(f for f in findings if f.severity is Severity.ERROR)
        for doubt in (f for f in findings if f not in errors):
            told("warning", f"{doubt.code} {about.name}: {doubt.message}")
        if errors:
            because = device.explained(about, target, _facts(workshop, bundle.cell), errors)
            _refuse(about.name, bundle.cell, errors, because, told)
            refused.append((bundle.cell, (*errors, *because)))
        else:
            fit.append(bundle)
    if not fit:
        raise DeviceError(
            f"no bundle can run on {about.name}", hint="see the findings above; `inv device info`"
        )
    return tuple(fit), tuple(refused)


def _refuse(
    name: str, cell: str, errors: Sequence[Finding], because: Sequence[Finding], told: _Told
) -> None:
    for error in errors:
        told("error", f"{error.code} {cell} cannot run on {name}: {error.message}; {error.hint}")
    for reason in because[:SHOWN]:
        told("error", f"{reason.code} {cell}: {reason.file}: {reason.message}")
    if len(because) > SHOWN:
        told("error", f"{cell}: and {len(because) - SHOWN} more files of that kind")


def _facts(workshop: Workshop, cell: str) -> tuple[ElfFacts, ...]:
    """What the audit read from the files of a cell's bundle."""
    key = next(action.key for action in plan_all(workshop) if action.id == f"audit:{cell}")
    return tuple(factsheet.facts_of(facts) for facts in audit_of(workshop, key)["facts"])
