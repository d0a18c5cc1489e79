"""A board greeted before a deploy: what it is, what stands there, and which cells may go there.

All is asked in one round trip.
"""

from __future__ import annotations

import gzip
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix import deploy, device
from buildmatrix.agent import call
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import Severity
from buildmatrix.protocols import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.agent import Mode
    from buildmatrix.nouns import Bundle, DeviceInfo, Finding
    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.protocols import Connection, Level, Reporter

QUESTION = "greet"  # as agent.call takes it; of its answer each reader skips the other's lines
MARGIN_KIB = 16 * 1024  # left free on the board's disk beside the bundle
SHOWN = 3  # findings of the audit that explain one refusal


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


def greet(
    connection: Connection,
    name: str,
    cells: Sequence[Stored],
    say: SayOnce,
    *,
    writes: bool = True,
    bare: bool = False,
) -> Greeting:
    """Ask the board `name` what it is, and hold the cells against it.

    Without `writes` not even the board's scripts are put there; `bare` says that it has none, as
    far as is known. Raises DeviceError for an answer that is none, and when no cell can run there.
    """
    return judged(question(connection, writes=writes, bare=bare), name, cells, say)


def judged(answer: bytes, name: str, cells: Sequence[Stored], say: SayOnce) -> Greeting:
    """The same of an answer that is there already."""
    about = device.parse(name, answer.decode(errors="replace"), now=time.time())
    fit, refused = _gate(about, cells, say)
    return Greeting(about, deploy.read_listing(answer), fit, refused)


def question(connection: Connection, *, writes: bool = True, bare: bool = False) -> bytes:
    """What is the board, as far as a gate must know, and what stands there: one round trip."""
    mode: Mode = "keep" if writes else "look"
    packs = connection.packed is not None
    line = f"{QUESTION} plain" if packs else QUESTION
    answer = call(connection, line, timeout=deploy.SHORT, mode=mode, bare=bare).stdout
    if packs:
        return answer
    try:
        return gzip.decompress(answer)
    except (OSError, EOFError, zlib.error) as error:
        raise DeviceError(
            f"the board's answer is damaged: {error}",
            details=ascii(answer[:200]),
            hint="see that `gzip` works there, and that nothing prints in the background",
        ) from error


def _gate(
    about: DeviceInfo, cells: Sequence[Stored], say: SayOnce
) -> tuple[tuple[Bundle, ...], tuple[tuple[str, tuple[Finding, ...]], ...]]:
    """The bundles that can run on a board, and the cells refused with why.

    Raises DeviceError when no bundle is left.
    """
    machines = {one.cell.id: one.target.place for one in cells}
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
