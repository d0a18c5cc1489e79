"""The steps of the table, each a command that a person gives and what must be true after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.servers.study import CELL, FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.server import Door
    from tests.servers.study import Ended, Study

FIRST, SECOND = FORMS
LONG = ("--batches", "1", "--passes", "2000000", "--rounds", "50")


class Refused(Exception):
    """A step did not do what it is for; in words, why."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A board's user and door, and the study that goes there."""

    study: Study
    door: Door
    user: str
    machine: str = "EM_X86_64"  # what its programs are for

    @property
    def host(self) -> str:
        return f"{self.user}@127.0.0.1:{self.door.port}"

    def did(self, form: str, *words: str) -> Ended:
        """A command that must succeed."""
        ended = self.study.run(form, *words, "--host", self.host)
        if ended.code != 0:
            raise Refused(f"{' '.join(words)} ends with {ended.code}: {ended.why}")
        return ended

    def asked(self, form: str, *words: str) -> Any:
        """The document of a command that must succeed."""
        return self.did(form, *words, "--json").document

    def trust(self) -> None:
        stranger = self.study.run(FIRST, "device", "info", "--host", self.host)
        true("is not known" in stranger.words, f"a host key that nobody trusts: {stranger.why}")
        self.did(FIRST, "device", "trust", "--fingerprint", self.door.host_key)

    def info(self) -> None:
        about = self.asked(FIRST, "device", "info")
        true(about["elf_machine"] == self.machine, f"elf_machine is {about['elf_machine']!r}")
        true(about["libc"][:2] == "2.", f"libc is {about['libc']!r}")
        true(about["home_exists"] is not False, "the home folder is said to be missing")

    def deploy(self) -> None:
        (board,) = self.asked(FIRST, "deploy")["boards"]
        true(board["sent_objects"] > 0, "nothing was sent")

    def repeat(self) -> None:
        (board,) = self.asked(FIRST, "deploy")["boards"]
        true(board["sent_objects"] == 0, f"{board['sent_objects']} objects were sent again")

    def bench(self) -> None:
        (board,) = self.asked(SECOND, "deploy")["boards"]
        true(board["sent_objects"] > 0, "the next form was not sent")
        self.did(SECOND, "bench")

    def collect(self) -> None:
        self.did(SECOND, "bench", "--collect", "--timeout", "300")
        rows = self.asked(SECOND, "report")["rows"]
        found = [(row["cell"], row["batch"], row["status"]) for row in rows]
        true(found == [(CELL, 1, "ok"), (CELL, 2, "ok")], f"the rows are {found}")

    def cancel(self) -> None:
        self.did(SECOND, "bench", *LONG)
        self.did(SECOND, "bench", "--cancel")
        self.did(SECOND, "bench")  # which a run that is still there would forbid
        self.did(SECOND, "bench", "--collect", "--timeout", "300")

    def rollback(self) -> None:
        before = self.digest("--dry-run", form=SECOND)
        (board,) = self.asked(SECOND, "deploy", "--rollback")["boards"]
        (cell,) = board["cells"]
        true(cell["digest"] != before, "it is the bundle of before")
        (board,) = self.asked(FIRST, "deploy")["boards"]
        true(board["cells"][0]["digest"] == cell["digest"], "it is not the first form")
        true(board["sent_objects"] == 0, "the first form had to be sent again")

    def prune(self) -> None:
        (board,) = self.asked(FIRST, "deploy", "--keep", "1")["boards"]
        true(board["removed_bundles"] == 1, f"{board['removed_bundles']} bundles were removed")

    def digest(self, *words: str, form: str) -> str:
        (board,) = self.asked(form, "deploy", *words)["boards"]
        return str(board["cells"][0]["digest"])


STEPS: tuple[tuple[str, Callable[[Walk], None]], ...] = (
    ("trust", Walk.trust),
    ("info", Walk.info),
    ("deploy", Walk.deploy),
    ("repeat", Walk.repeat),
    ("bench", Walk.bench),
    ("collect", Walk.collect),
    ("cancel", Walk.cancel),
    ("rollback", Walk.rollback),
    ("prune", Walk.prune),
)


def true(fact: bool, otherwise: str) -> None:
    """Raise Refused with the words where it is not so."""
    if not fact:
        raise Refused(otherwise)


def verdicts(walk: Walk) -> Iterator[tuple[str, str]]:
    """Each step's name and why it is a no; empty: a yes. All are tried, whatever came before."""
    for name, step in STEPS:
        try:
            step(walk)
        except Refused as refusal:
            yield name, str(refusal)
        except (KeyError, TypeError, ValueError) as error:
            yield name, f"its document is another one: {error!r}"
        else:
            yield name, ""
