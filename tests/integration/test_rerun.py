"""A measured row taken elsewhere: one archive, one command, a board that has nothing of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import ssh
from tests import boards, rounds
from tests.boards import STATE
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.protocols import CommandResult, Connection

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

ROOT = Path(__file__).parent.parent.parent
CELL = "caffe-openblas-0.3.34-neon"
BENCH = ["--batches", "1,2", "--rounds", "2", "--passes", "2", "--warmup", "0", "--threads", "1"]
# Changes a weight, and the sums so that the change looks meant.
OTHER_MODEL = """
printf 'AAAA' | dd of=model/net.caffemodel bs=1 seek=2000000 conv=notrunc 2>/dev/null &&
new=$(sha256sum model/net.caffemodel) &&
sed -i "s|^.*  model/net.caffemodel$|$new|" SHA256SUMS
"""


def run(*arguments: str) -> str:
    return cli.run(*arguments, cwd=ROOT, state=STATE)[0]


@pytest.fixture(scope="module")
def measured() -> Iterator[str]:
    """A board with a run of two rounds that has been collected."""
    run("build", "--only", CELL)
    name = boards.boot("measured", "pi3-counted").name
    try:
        run("deploy", "--host", name, "--only", CELL)
        run("bench", "--host", name, "--only", CELL, *BENCH, "--collect")
        yield name
    finally:
        boards.remove("measured")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Connection]:
    """Another board, on which buildmatrix never was."""
    try:
        target = boards.boot("elsewhere", "pi3-counted")
        with ssh.connect(target, timeout=30, known_hosts=None) as connection:
            yield connection
    finally:
        boards.remove("elsewhere")


@pytest.fixture(scope="module")
def packed(measured: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The archive of the row, and its one command."""
    folder = tmp_path_factory.mktemp("packed")
    said = run("report", "--bundle", CELL, "--host", measured, "--out", str(folder))
    (path,) = folder.iterdir()
    assert str(path) in said
    command = next(line for line in said.splitlines() if "tar xzf" in line)
    return path, command[command.index("tar xzf") :]


@pytest.fixture(scope="module")
def sent(packed: tuple[Path, str], elsewhere: Connection) -> str:
    """Where the archive is over there."""
    content = packed[0].read_bytes()
    parts = [content[at : at + 65536] for at in range(0, len(content), 65536)]
    done = elsewhere.run("cat > archive", timeout=300, stdin=parts)
    assert done.status == 0, done.stderr
    return "archive"


@pytest.fixture
def folder(packed: tuple[Path, str], elsewhere: Connection, sent: str) -> Iterator[str]:
    """A new folder over there that holds the archive and nothing else."""
    made = elsewhere.run(f"mkdir here && ln {sent} here/{packed[0].name}", timeout=60)
    assert made.status == 0, made.stderr
    yield "here"
    elsewhere.run("rm -rf here", timeout=60)


def there(connection: Connection, script: str) -> CommandResult:
    return connection.run(f"cd here && {script}", timeout=600)


def table(done: CommandResult) -> dict[str, list[str]]:
    """Rows by batch size: ms recorded, here, ratio; instructions likewise; answer."""
    split = [line.split() for line in done.stdout.decode().splitlines()]
    return {words[0]: words[1:] for words in split if words and words[0].isdigit()}


def test_the_same_row_is_the_same_file(
    packed: tuple[Path, str], measured: str, tmp_path: Path
) -> None:
    run("report", "--bundle", CELL, "--host", measured, "--out", str(tmp_path))
    (again,) = tmp_path.iterdir()
    assert again.name == packed[0].name
    assert again.read_bytes() == packed[0].read_bytes()


def test_one_command_repeats_the_row(
    packed: tuple[Path, str], elsewhere: Connection, folder: str
) -> None:
    path, command = packed
    name = path.name.removesuffix(".tar.gz")
    done = there(elsewhere, command)
    assert done.status == 0, done.stderr
    found = table(done)
    assert set(found) == {"1", "2"}
    for row in found.values():
        assert row[2] == "-", "emulated times are compared with nothing"
        assert 0.99 < float(row[5]) < 1.01, "instructions, counted on both boards"
        assert row[6] == "right"
    assert "emulated   emulated" in done.stdout.decode()
    kept = there(elsewhere, f"cat {name}/results-1.jsonl").stdout.decode().splitlines()
    order = json.loads(there(elsewhere, f"cat {name}/row.json").stdout)["order"]
    assert [json.loads(line)["batch"] for line in kept] == order
    assert sorted(order) == [1, 1, 2, 2]
    assert len(json.loads(kept[0])["result"]["output"]) == 848
    assert elsewhere.run("test -e .buildmatrix", timeout=30).status == 1


def test_a_damaged_file_runs_nothing(
    packed: tuple[Path, str], elsewhere: Connection, folder: str
) -> None:
    unpack, again = packed[1].split(" && ")
    name = packed[0].name.removesuffix(".tar.gz")
    done = there(elsewhere, f"{unpack} && echo >> {name}/lib/libopenblas.so.0 && {again}")
    assert done.status == 3
    assert "damaged or missing: lib/libopenblas.so.0" in done.stderr.decode()
    assert b"results" not in there(elsewhere, f"ls {name}").stdout


def test_a_wrong_answer_shows_no_time(
    packed: tuple[Path, str], elsewhere: Connection, folder: str
) -> None:
    unpack, again = packed[1].split(" && ")
    name = packed[0].name.removesuffix(".tar.gz")
    harmed = f"{unpack} && (cd {name} && {OTHER_MODEL}) && {again} --batch 1 --passes 1"
    done = there(elsewhere, harmed)
    assert done.status == 1, done.stderr
    (row,) = table(done).values()
    assert (row[1], row[4], row[6]) == ("-", "-", "WRONG")
    assert "batch 1: WRONG: off by" in done.stdout.decode()
