"""Names, streams and boards that mean harm: nothing outside the prefix is touched, nothing runs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import shlex
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildmatrix import deploy
from buildmatrix.agent import PREFIX, ask, command
from buildmatrix.errors import DeviceError, InputError, UsageError
from buildmatrix.nouns import Bundle, FileRecord
from buildmatrix.protocols import CommandResult
from tests.contract import deploy_board
from tests.contract.deploy_board import Board, Memory, complete, files, put
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

shell, store, home = deploy_board.shell, deploy_board.store, deploy_board.home

HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "a b",
    "x;reboot",
    "$(id)",
    "`id`",
    "-rf",
    "a\nb",
    "..",
    ".",
    "a/./b",
    "a//b",
    "a/",
    "",
    "a'b",
    'a"b',
    "*",
    "é",
    "\udcff",
    "a\0b",
    "a\\b",
]
NASTY = st.text(alphabet="ab./-~$'\"; \n*\\é\udcff\0", max_size=8)
ODD = st.text(alphabet="ab./-~=@", min_size=1, max_size=5) | NASTY


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_go_nowhere(home: Path, store: Memory, name: str) -> None:
    board = Board(home)
    with pytest.raises(InputError):
        put(board, store, store.bundle("c", {name: b"x"}))
    with pytest.raises(InputError):
        put(board, store, store.bundle(name, {"f": b"x"}))
    with pytest.raises(InputError):
        deploy.rollback(board, name)
    for digest in (name, "A" * 64, "a" * 63, "a" * 64 + "\n"):
        with pytest.raises(InputError):
            put(board, store, Bundle("c", digest, ()))
        with pytest.raises(InputError):
            put(board, store, Bundle("c", "a" * 64, (FileRecord("f", digest, 1),)))
    assert board.scripts == []


@pytest.mark.parametrize(
    "link", ["/etc/passwd", "../../x", "..", "a/../../../x", "-x", "x y", "$(id)", "a\nb"]
)
def test_links_stay_inside_the_bundle(home: Path, store: Memory, link: str) -> None:
    board = Board(home)
    with pytest.raises(InputError):
        put(board, store, store.bundle("c", {"f": b"x"}, l=link))
    assert board.scripts == []


def test_a_previous_link_cannot_be_taken_for_a_cell(home: Path, store: Memory) -> None:
    with pytest.raises(InputError):
        put(Board(home), store, store.bundle("c.previous", {"f": b"x"}))


@settings(max_examples=150, deadline=None)
@given(path=ODD, link=ODD, cell=ODD)
def test_a_bundle_is_refused_or_becomes_that_tree_and_nothing_else(
    path: str, link: str, cell: str
) -> None:
    store = Memory()
    records = (FileRecord(path, store.add(b"x"), 1), FileRecord("l", link=link or "f"))
    bundle = Bundle(cell, "a" * 64, records)
    with tempfile.TemporaryDirectory() as folder:
        board = Board(Path(folder))
        try:
            put(board, store, bundle)
        except InputError:
            assert board.scripts == []
            return
        there = {p.relative_to(folder).parts[0] for p in Path(folder).rglob("*")}
        assert there == {PREFIX}
        assert complete(Path(folder), bundle)


@given(NASTY)
def test_no_prefix_runs_anything(prefix: str) -> None:
    """Either refused, or harmless: no quote, space or expansion is left to the shell."""
    try:
        text = command(":", mark="m", prefix=prefix)
    except UsageError:
        return
    assert not set(prefix) & set(" \t\n'\"$`;&|<>*?[]()\\!#\0")
    assert ".." not in prefix.split("/")
    assert f" {shlex.quote(prefix)} work :;" in text


def tar_of(*members: tuple[str, bytes, str, bytes]) -> bytes:
    """(name, type, link's target, content)"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, target, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, len(content)
            member.devmajor, member.devminor, member.mode = 1, 3, 0o4777
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


FILE, LINK, HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
NAME = "objects/" + "a" * 64
STREAMS = {
    "out by name": [("../../../../canary", FILE, "", b"evil"), ("/{canary}", FILE, "", b"evil")],
    "out by a link": [("d", LINK, "{home}", b""), ("d/canary", FILE, "", b"evil")],
    "an object that is a link": [(NAME, LINK, "{canary}", b"")],
    "a rest behind a link": [(NAME, LINK, "{canary}", b""), (f"{NAME}.4", FILE, "", b"evil")],
    "a hard link": [(NAME, HARD, "{canary}", b""), (f"{NAME}.4", FILE, "", b"evil")],
    "devices": [
        (NAME, tarfile.CHRTYPE, "", b""),
        ("objects/" + "b" * 64, tarfile.FIFOTYPE, "", b""),
    ],
    "names for the shell": [
        (name, FILE, "", b"evil")
        for name in ("x {canary} y", "$(rm {canary})", "-rf.5", "a\nb", "...5", NAME + ".x y")
    ],
    "objects that are none": [
        (f"objects/{name}", FILE, "", b"evil") for name in ("c" * 64, "d" * 64 + ".x", "e", ".f")
    ],
    "an object by another way": [(f"objects/./{'a' * 64}", FILE, "", b"evil")],
    "orders": [("orders", FILE, "", b"tree ../../..\nswitch ../../x ../../..\nrm {canary}\n")],
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_hostile_stream_stays_in_the_prefix(shell: Board, store: Memory, stream: str) -> None:
    """Who can send one can run anything there anyway; but a slip of ours must not do harm."""
    bundle = store.bundle("c", files("lib/a"))
    put(shell, store, bundle)
    canary = shell.home / "canary"
    canary.write_bytes(b"tweet")
    before = sorted(shell.home.parent.rglob("*")), canary.stat().st_mode
    words = {"{home}": str(shell.home), "{canary}": str(canary)}
    members = [
        tuple(
            re.sub(r"\{\w+\}", lambda m: words[m[0]], part) if isinstance(part, str) else part
            for part in member
        )
        for member in STREAMS[stream]
    ]
    if stream != "orders":  # without any, what came counts as cut
        members.append(("orders", FILE, "", b""))
    sent = tar_of(*members)  # type: ignore[arg-type]
    ask(shell, "receive gzip", timeout=60, stdin=lambda: [sent])
    assert canary.read_bytes() == b"tweet"
    outside = [p for p in shell.home.parent.rglob("*") if PREFIX not in p.parts]
    assert sorted(outside) == [p for p in before[0] if PREFIX not in p.parts]
    assert canary.stat().st_mode == before[1]
    assert complete(shell.home, bundle)
    put(shell, store, bundle, verify=True)
    assert not [p for p in (shell.home / PREFIX / "objects").iterdir() if p.is_symlink()]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_hostile_stream_is_no_first_deploy(shell: Board, stream: str) -> None:
    """Where all that comes takes its place in one step, nothing does that was not verified."""
    canary = shell.home / "canary"
    canary.write_bytes(b"tweet")
    words = {"{home}": str(shell.home), "{canary}": str(canary)}
    tree = [
        ("bundles", tarfile.DIRTYPE, "", b""),
        (f"bundles/{'9' * 64}", tarfile.DIRTYPE, "", b""),
    ]
    cell = [("cells", tarfile.DIRTYPE, "", b""), ("cells/c", LINK, f"../bundles/{'9' * 64}", b"")]
    orders = f"tree {'9' * 64}\nswitch {'9' * 64} c\n".encode()
    members = [
        (*(re.sub(r"\{\w+\}", lambda m: words[m[0]], part) for part in member[:1]), *member[1:])
        for member in STREAMS[stream]
    ]
    sent = tar_of(*members, *tree, *cell, ("orders", FILE, "", orders))  # type: ignore[arg-type]
    ask(shell, "receive gzip", timeout=60, stdin=lambda: [sent])
    assert canary.read_bytes() == b"tweet"
    outside = [p for p in shell.home.parent.rglob("*") if PREFIX not in p.parts]
    assert {p.name for p in outside if "applets" not in p.parts} <= {"home", "canary", "applets"}
    for file in (shell.home / PREFIX / "objects").iterdir():
        assert file.is_file()
        assert not file.is_symlink()
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name.removesuffix(".x")


class Lying:
    """A board that answers what it likes."""

    packed = None

    def __init__(self, answers: list[CommandResult]) -> None:
        self.answers = answers

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        for _ in stdin or ():
            pass
        return self.answers.pop(0) if self.answers else CommandResult(0, b"end\n", b"")

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        answer, mark = self.run(script, timeout=timeout), shlex.split(script)[2].encode()
        said = b"\n<%b\nalone\n%b\n>%b %d\n" % (mark, answer.stdout, mark, answer.status % 256)
        heard(said)
        heard(b"")
        for _ in stdin:
            pass
        return replace(answer, stdout=said)

    def close(self) -> None:
        pass


HEX = "0123456789abcdef" * 4
WORDS = st.sampled_from(
    [
        "c",
        "c.previous",
        "../x",
        "/etc",
        HEX,
        f"{HEX}.x",
        f"parts/{HEX}",
        "-1",
        "12",
        "9" * 40,
        "",
        "\x1b[2J",
        "\udcff",
        "trees/x",
        "\0",
        "*",
    ]
)
VERBS = st.sampled_from([*deploy.listing.FORMS, "rm", ""])
LINES = st.tuples(VERBS, st.lists(WORDS, max_size=4)).map(lambda t: " ".join([t[0], *t[1]]))
TEXTS = st.lists(LINES, max_size=6).map(lambda t: "\n".join([*t, "end"]))
ANSWERS = st.builds(
    CommandResult,
    status=st.sampled_from([0, 0, 0, 1, 3, -1]),
    stdout=TEXTS.map(lambda t: t.encode(errors="surrogateescape")) | st.binary(max_size=60),
    stderr=st.binary(max_size=20),
)
CALLS: dict[str, Callable[[Lying, Memory, Bundle], object]] = {
    "push": put,
    "meet": lambda board, store, bundle: deploy.meet(
        board,
        [bundle],
        store,
        lambda answer: deploy.read_listing(answer).fresh,
        reporter=RecordingReporter(),
        subject="pi3",
    ),
    "mend": lambda board, store, bundle: put(board, store, bundle, verify=True),
    "forecast": lambda board, store, bundle: deploy.forecast(board, [bundle], store),
    "room": lambda board, store, bundle: deploy.make_room(board, [bundle], store, quota_mib=1),
    "rollback": lambda board, _store, _bundle: deploy.rollback(board, "c"),
    "active": lambda board, _store, _bundle: deploy.active(board),
    "prune": lambda board, _store, _bundle: deploy.prune(board),
}


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=60, deadline=None)
@given(answers=st.lists(ANSWERS, max_size=5))
def test_whatever_a_board_answers_is_a_value_or_a_device_error(
    call: str, answers: list[CommandResult]
) -> None:
    store = Memory()
    bundle = store.bundle("c", {"lib/a": b"x" * 100})
    with contextlib.suppress(DeviceError):
        CALLS[call](Lying(answers), store, bundle)


def test_a_board_that_only_says_yes_is_not_believed(store: Memory) -> None:
    """An answer without the words that the script ends with is none."""
    mute = Lying([CommandResult(0, b"", b"")] * 3)
    with pytest.raises(DeviceError, match="the board's answer is not one"):
        put(mute, store, store.bundle("c", files()))
