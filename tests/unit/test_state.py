"""The state folder: paths below it are made in one module, and nobody else knows their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buildmatrix.state import State

ROOT = Path(__file__).parents[2]
GLUED = re.compile(r"\bstate(?:\.absolute\(\))? / ")


@pytest.mark.slow
def test_only_state_joins_paths_to_the_state_folder() -> None:
    joined = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "buildmatrix").rglob("*.py")
        if GLUED.search(path.read_text())
    ]
    assert joined == []


def test_what_the_nightly_workflow_keeps_is_there() -> None:
    text = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    kept = set(re.findall(r"^ +\.buildmatrix/([\w.]+)$", text, re.MULTILINE))
    state = State(Path())
    parts = (state.results, state.nights, state.store, state.sources, state.toolchains)
    assert kept == {str(part) for part in parts}


def test_a_boards_name_may_be_an_address() -> None:
    assert State(Path("s")).board("pi@host:22") == Path("s/boards/pi@host:22.json")
    assert State(Path("s")).board("../x").parent == Path("s/boards")
