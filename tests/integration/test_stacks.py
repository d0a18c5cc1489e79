"""Every stack of matrix.yaml: what is in reach is built, runs, and gives the golden answer.

The boards are a Pi 3 and a Pi 4 that are emulated, and this machine itself for what only proves a
runner's engine. One state folder and one run a board, so that each stack is built and run once.

`tests.stacks` says which; those that take long are for `scripts/test nightly`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import rounds
from tests.boards import STATE
from tests.integration import cli
from tests.stacks import CHOSEN, MATRIX, ONLY

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.ALL)]

ROOT = Path(__file__).parent.parent.parent
KINDS = ("pi3-counted", "pi4-64-counted", "host")  # each takes the cells for its machine
BATCHES = (1, 2)


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    return cli.run(*arguments, cwd=ROOT, state=STATE, code=code)


def document(*arguments: str, code: int = 0) -> Any:
    return cli.document(*arguments, cwd=ROOT, state=STATE, code=code)


@pytest.fixture(scope="module")
def built() -> dict[str, dict[str, Any]]:
    """What was chosen, by cell. They are asked for by name, and some are out of reach: exit 4."""
    return {cell["id"]: cell for cell in document("build", *ONLY, code=4)["cells"]}


@pytest.fixture(scope="module")
def measured(built: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of every cell that could be built; each board runs what is for its machine."""
    rows: dict[str, list[dict[str, Any]]] = {}
    with ThreadPoolExecutor(len(KINDS)) as pool:
        for found in pool.map(measured_on, KINDS):
            for row in found:
                rows.setdefault(row["cell"], []).append(row)
    return rows


def measured_on(kind: str) -> list[dict[str, Any]]:
    """The rows of a board of this kind, which is there only for them."""
    board = f"stacks-{kind}"
    run("device", "up", "--name", board, "--kind", kind)
    try:
        run("deploy", "--host", board, *ONLY)
        run(
            *("bench", "--host", board, *ONLY, "--batches", "1,2", "--rounds", "1"),
            *("--passes", "1", "--warmup", "0", "--threads", "1", "--collect"),
        )
        rows: list[dict[str, Any]] = document("report", "--host", board, *ONLY)["rows"]
        return rows
    finally:
        run("device", "down", "--name", board)


def test_what_cannot_be_built_says_where_it_would_come_from(
    built: dict[str, dict[str, Any]],
) -> None:
    missing = {name: c["cause"] for name, c in built.items() if c["state"] == "unavailable"}
    assert missing, "git hosts and project sites answer nowhere that this was written"
    for name, cause in missing.items():
        assert "https://" in cause, name
        assert "--archives" in cause or "ls-remote" in cause, name
    assert {c["state"] for c in built.values()} <= {"done", "cached", "unavailable"}


def test_every_built_stack_gives_the_golden_answer(
    built: dict[str, dict[str, Any]], measured: dict[str, list[dict[str, Any]]]
) -> None:
    made = [name for name, cell in built.items() if cell["state"] in ("done", "cached")]
    assert sorted(measured) == sorted(made)
    for name, rows in measured.items():
        assert [(row["batch"], row["status"]) for row in rows] == [(b, "ok") for b in BATCHES], name
        assert all(row["emulated"] for row in rows)


def test_the_stacks_agree_with_each_other(measured: dict[str, list[dict[str, Any]]]) -> None:
    found = document("agree", *ONLY)
    formats = {cell["cell"]: cell["number_format"] for cell in found["cells"]}
    assert set(measured) <= set(formats)
    for pair in found["pairs"]:
        names = [name for name in (pair["one"], pair["other"]) if name in formats]
        allowed = sum(MATRIX.network.tolerance[formats[name]] for name in names)
        assert pair["relative"] is not None
        assert pair["relative"] <= allowed, pair


def test_the_matrix_and_the_readme_say_the_same_of_every_cell(
    measured: dict[str, list[dict[str, Any]]],
) -> None:
    """No row stands higher than it was shown, and none that was shown is left out."""
    shown = {c["id"]: c["shown"]["rung"] for c in document("cells", *ONLY)["cells"]}
    table = (
        (ROOT / "docs" / "status.md")
        .read_text()
        .partition("\n## Status\n")[2]
        .partition("\n## ")[0]
    )
    said: dict[str, str] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            cells, rung, _ = (field.strip() for field in line.strip("|").split("|"))
            said |= {name.strip("` "): rung.strip("*") for name in cells.split(",")}
    assert {name: said.get(name) for name in CHOSEN} == shown
    assert set(said) == {cell.id for cell in MATRIX.cells}
