"""Hints that name a command: each is provoked, its command is run as it is written, and it does
what the hint says.

A study of one cell is built for this machine's kind, which is the board too, behind OpenSSH and
behind dropbear.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import virtual
from buildmatrix.agent import PREFIX
from tests import boards
from tests.boards import STATE
from tests.contract.reached import reached
from tests.integration import cli
from tests.servers.study import CELL, FORMS, Ended, Study
from tests.servers.walk import LONG
from tests.sshd import make_key, public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.reached import Reached

__all__ = ["reached"]
pytestmark = pytest.mark.docker

FIRST, SECOND = FORMS
over_dropbear = pytest.mark.parametrize("reached", ["dropbear"], indirect=True)
SHORT = ("--batches", "1", "--passes", "1", "--rounds", "1")
# A command within a hint: to the end of its quotation, of a clause, or of the line.
COMMAND = re.compile(r"buildmatrix ([a-z]+(?: (?:'[^']*'|[^\s`;,()]+))*)")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = Study(tmp_path_factory.mktemp("hints"))
    made.prepare()
    return made


def commands(ended: Ended) -> list[list[str]]:
    """Those that the next step of a failed command names, in order."""
    _, sign, hint = ended.words.rpartition("next: ")
    assert sign, ended.words
    return [shlex.split(words) for words in COMMAND.findall(hint)]


def follow(study: Study, form: str, ended: Ended, number: int = 0) -> Ended:
    """How the command ends that the next step names."""
    named = commands(ended)
    assert len(named) > number, ended.words
    return study.run(form, *named[number])


class Person:
    """Who works on the study, with a board."""

    def __init__(self, study: Study, board: Reached) -> None:
        self.study, self.board = study, board
        shutil.copy(board.target.identity_file, study.home / ".ssh/id_ed25519")
        target = board.target
        self.host = f"{target.user}@{target.host}:{target.port}"

    def run(self, *words: str, form: str = FIRST) -> Ended:
        return self.study.run(form, *words, "--host", self.host)

    def did(self, *words: str, form: str = FIRST) -> Ended:
        ended = self.run(*words, form=form)
        assert ended.code == 0, ended.words
        return ended

    def follow(self, ended: Ended, number: int = 0) -> Ended:
        return follow(self.study, FIRST, ended, number)


@pytest.fixture
def person(study: Study, reached: Reached) -> Iterator[Person]:
    """Whom the board's key is not known to; what is on the board is nobody's afterwards."""
    them = Person(study, reached)
    yield them
    for known in ("known_hosts", "id_ed25519"):
        (study.home / ".ssh" / known).unlink(missing_ok=True)


@pytest.fixture
def trusting(person: Person) -> Person:
    person.did("device", "trust", "--fingerprint", person.board.target.host_key)
    return person


def test_trust_of_an_unknown_key(person: Person) -> None:
    """The first line tells the key and asks; without a terminal, the second one agrees to it."""
    asked = person.follow(person.run("device", "info"))
    assert f"--fingerprint {person.board.target.host_key}" in asked.words
    agreed = person.follow(asked)
    assert (agreed.code, person.run("device", "info").code) == (0, 0), agreed.words


def test_trust_again_after_a_changed_key(person: Person, tmp_path: Path) -> None:
    target = person.board.target
    stranger = public(make_key(tmp_path / "stranger"))
    known_hosts = person.study.home / ".ssh/known_hosts"
    known_hosts.write_text(f"[{target.host}]:{target.port} {stranger}\n")
    refused = person.run("device", "info")
    assert "host key changed" in refused.words
    agreed = person.follow(person.follow(refused))
    assert (agreed.code, person.run("device", "info").code) == (0, 0), agreed.words


@over_dropbear
def test_force_while_somebody_measures(trusting: Person) -> None:
    trusting.did("deploy")
    trusting.did("bench", *LONG)
    refused = trusting.run("deploy", form=SECOND)
    assert "is measuring for" in refused.words
    assert "or add --force" in refused.words
    listed = trusting.follow(refused)
    assert listed.code == 0, listed.words
    trusting.did("deploy", "--force", form=SECOND)
    trusting.did("bench", "--cancel", form=SECOND)


@over_dropbear
def test_cancel_of_a_run_that_nobody_can_read(trusting: Person) -> None:
    trusting.did("deploy")
    trusting.did("bench", *LONG)
    current = trusting.board.home / PREFIX / "runs/current"
    (current / "request.json").write_text("{")
    refused = trusting.run("bench", "--collect")
    assert "cannot be read" in refused.words
    (words,) = commands(refused)
    trusting.did(*words)
    assert not current.is_symlink()
    trusting.did("bench", *SHORT)
    trusting.did("bench", "--collect")


@over_dropbear
def test_prune_of_a_board_that_is_over_its_quota(trusting: Person) -> None:
    """Its hint gives up the way back: the bundle that was there before."""
    for form in FORMS:
        trusting.did("deploy", form=form)
    refused = trusting.run("deploy", "--quota-mib", "1", form=FIRST)
    assert "quota of 1 MiB is too small" in refused.words
    (words,) = commands(refused)
    pruned = trusting.did(*words, "--json")
    assert pruned.document["boards"][0]["removed_bundles"] == 1
    assert trusting.run("deploy", "--rollback").code != 0


@over_dropbear
def test_collect_where_nothing_was_measured(trusting: Person) -> None:
    trusting.did("deploy")
    trusting.did("bench", *SHORT)
    (trusting.study.root / "state/results.sqlite").unlink(missing_ok=True)
    refused = trusting.run("report")
    (words,) = commands(refused)
    trusting.did(*words)
    trusting.did("report")


def test_build_of_what_is_not_built(study: Study, tmp_path: Path) -> None:
    """Of one cell, of a plan that is frozen, of what was lost from the store."""
    state = ("--state", str(tmp_path / "state"))
    for words in (("audit", CELL), ("get", CELL, "--out", str(tmp_path / "out"))):
        refused = study.run(FIRST, *words, *state)
        assert refused.code, refused.words
        assert commands(refused)[0][0] == "build"
    frozen = study.run(FIRST, "build", "--frozen", *state)
    assert "--frozen" in frozen.words
    built = study.run(FIRST, *commands(frozen)[0], *state)
    assert built.code == 0, built.words
    kept = max((tmp_path / "state/store/objects").glob("*/*"), key=lambda path: path.stat().st_size)
    kept.chmod(0o644)
    kept.write_bytes(b"x" + kept.read_bytes()[1:])
    out = ("--out", str(tmp_path / "out"))
    lost = study.run(FIRST, "get", CELL, *out, *state)
    assert study.run(FIRST, *commands(lost)[0], *state).code == 0, lost.words
    assert study.run(FIRST, "get", CELL, *out, *state).code == 0


def test_out_of_a_get_that_says_not_where(study: Study) -> None:
    refused = study.run(FIRST, "get", CELL)
    assert follow(study, FIRST, refused).code == 0
    assert (study.root / FIRST / CELL / "bin/runner").exists()


@pytest.mark.board
def test_up_of_a_virtual_board_that_is_off(tmp_path: Path) -> None:
    """With the kind that it has and the link that it had: `down` would throw it away."""
    there = boards.boot("hinted", "host", "20mbit/20ms")
    try:
        container = Path(there.identity_file).with_name("container").read_text().strip()
        subprocess.run(["docker", "kill", container], check=True, capture_output=True)
        _, said = cli.run("device", "info", "--host", there.name, cwd=tmp_path, state=STATE, code=6)
        assert "is off" in said
        (words,) = commands(Ended(6, None, said))
        cli.run(*words, cwd=tmp_path, state=STATE)
        cli.run("device", "info", "--host", there.name, cwd=tmp_path, state=STATE)
        (again,) = (b for b in virtual.boards(STATE) if b.address.name == there.name)
        assert (again.kind, again.link, again.address) == ("host", "20mbit/20ms", there)
    finally:
        boards.remove("hinted")
