"""Bundles onto boards: is the board fit and free, what is missing there, what would it take.

Everything is done over one connection. When nothing changed there is one question on it: what the
board is, and what stands there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import deploy
from buildmatrix.boards.greeting import SayOnce, greet, judged
from buildmatrix.boards.reach import Access, connect, has_agent, lacks_agent, visit
from buildmatrix.errors import DeviceError
from buildmatrix.protocols import Finished, Note, Started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.boards.greeting import Greeting
    from buildmatrix.nouns import BoardAddress, Bundle, DeviceInfo, Finding
    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.protocols import Connection, Conversation, ObjectReader, Reporter


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


def deploy_all(cells: Sequence[Stored], board: BoardAddress, means: Means) -> Deployed:
    """Put the bundles of built cells on a board. A cell that cannot run there is not sent, but for
    a few megabytes to a board never met, which go again.

    Raises DeviceError when none can, when a benchmark is at work there (unless forced), and when
    the quota is too small.
    """
    began, subject = time.monotonic(), f"deploy {board.name}"
    say = _begun(subject, cells, board, means)

    def put(connection: Conversation) -> tuple[Greeting, deploy.Pushed, int]:
        bare = lacks_agent(board, means.access)
        if bare and connection.packed is not None and _plain(cells, board, means.wish):
            greeting, done = _met(connection, board, cells, means, say)
        else:
            greeting, done = greet(connection, board.name, cells, say, bare=bare), None
        done = done or _put(connection, board, greeting, means)
        has_agent(board, means.access)  # a push leaves it there, and so did the question otherwise
        return greeting, *done

    greeting, pushed, removed = visit(board, means.access, put, means.reporter, subject)
    seconds = time.monotonic() - began
    sent = f"{pushed.sent_objects} objects, {pushed.sent_bytes / 1e6:.1f} MB sent"
    means.reporter.emit(Finished(subject, "done", seconds, sent))
    return Deployed(greeting.info, greeting.fit, pushed, greeting.refused, seconds, removed)


def foretell(cells: Sequence[Stored], board: BoardAddress, means: Means) -> Foretold:
    """What `deploy_all` would do, in bytes and seconds. Nothing is written on the board."""
    began, subject = time.monotonic(), f"look at {board.name}"
    say = _begun(subject, cells, board, means)

    def look(connection: Connection) -> tuple[Greeting, deploy.Forecast]:
        greeting = greet(connection, board.name, cells, say, writes=False)
        return greeting, deploy.forecast(
            connection,
            greeting.fit,
            means.objects,
            quota_mib=means.wish.quota_mib or board.quota_mib,
            keep=means.wish.keep,
        )

    greeting, forecast = visit(board, means.access, look, means.reporter, subject)
    means.reporter.emit(Finished(subject, "done", time.monotonic() - began))
    busy = greeting.listing.busy
    return Foretold(greeting.info, greeting.fit, forecast, greeting.refused, busy)


def roll_back(
    cells: Sequence[str], board: BoardAddress, *, access: Access, force: bool = False
) -> dict[str, str]:
    """Switch cells back to their previous bundles; the digests, by cell."""
    with connect(board, access) as connection:
        listing = deploy.glance(connection)
        there = [cell for cell in cells if cell in listing.active]
        if not there:
            raise DeviceError(f"none of the selected cells is on {board.name}")
        if not force:
            deploy.refuse_while_measuring(board.name, listing)
        return {cell: deploy.rollback(connection, cell) for cell in there}


def _begun(subject: str, cells: Sequence[Stored], board: BoardAddress, means: Means) -> SayOnce:
    """Report the beginning; who says each thing once, however often the connection breaks."""
    means.reporter.emit(Started(subject, f"{len(cells)} bundles, {board.host}"))
    return SayOnce(means.reporter)


def _plain(cells: Sequence[Stored], board: BoardAddress, wish: Wish) -> bool:
    """Is nothing wished that needs the board's answer first, and are all cells for one target, so
    that mostly all of them can run there, or none?"""
    targets = {one.target for one in cells}
    return not (wish.verify or wish.quota_mib or board.quota_mib) and len(targets) == 1


def _met(
    connection: Conversation,
    board: BoardAddress,
    cells: Sequence[Stored],
    means: Means,
    say: SayOnce,
) -> tuple[Greeting, tuple[deploy.Pushed, int] | None]:
    """A board never met is asked what it is, and is sent the bundles meanwhile. None: not all of
    them can run there, or something is there already."""
    bundles = [one.bundle for one in cells if one.bundle is not None]
    greetings: list[Greeting] = []

    def judge(answer: bytes) -> bool:
        greetings.append(judged(answer, board.name, cells, say))
        fresh = greetings[0].listing.fresh and not greetings[0].listing.busy
        return fresh and list(greetings[0].fit) == bundles

    pushed = deploy.meet(
        connection,
        bundles,
        means.objects,
        judge,
        reporter=means.reporter,
        subject=f"deploy {board.name}",
    )
    if pushed is None:
        return greetings[0], None
    removed = deploy.prune(connection, keep=means.wish.keep) if means.wish.keep else 0
    return greetings[0], (pushed, removed)


def _put(
    connection: Connection, board: BoardAddress, greeting: Greeting, means: Means
) -> tuple[deploy.Pushed, int]:
    """What was pushed, and how many old bundles had to go for it, or were asked to."""
    wish = means.wish
    todo = wish.verify or deploy.unsettled(greeting.fit, greeting.listing)
    if (todo or wish.keep) and not wish.force:
        deploy.refuse_while_measuring(board.name, greeting.listing)
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
