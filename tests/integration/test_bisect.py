"""`inv bisect` to its end: eight versions of a library, built and measured on a virtual Pi."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.boards import STATE, own
from tests.integration import cli
from tests.integration.builds import looked_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.nightly]

VERSIONS = [f"1.{number}" for number in range(8)]
SLOW = "1.5"  # the first that works each sum out again
BROKEN = "1.3"  # is no C; the search looks there first
SLOWER = '#pragma GCC optimize("O0")\n'
CHOICES = """\
options:
  dot: {{summary: which version, choices: [{}], default: "1.0"}}
"""
SOURCE = """\
  - name: dot
    when: {{dot: "{0}"}}
    alternates: [{{kind: folder, path: versions/{0}}}]
"""
WHOLE = "sources:\n  - name: dot\n    alternates: [{kind: folder, path: src}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `inv init` writes, with the library's source in eight versions."""
    cli.run("init", "mine", cwd=tmp_path, state=tmp_path / "state")
    looked_at(tmp_path / "state")
    root = tmp_path / "mine"
    recipe = root / "recipes" / "dot" / "recipe.yaml"
    text = recipe.read_text()
    assert WHOLE in text
    quoted = ", ".join(f'"{version}"' for version in VERSIONS)
    text = text.replace(WHOLE, "sources:\n" + "".join(map(SOURCE.format, VERSIONS)))
    recipe.write_text(text.replace("options:\n", CHOICES.format(quoted)))
    source = (root / "src" / "dot.c").read_text()
    for version in VERSIONS:
        shutil.copytree(root / "src", root / "versions" / version)
        words = "#error\n" if version == BROKEN else SLOWER if version >= SLOW else ""
        (root / "versions" / version / "dot.c").write_text(f"/* {version} */\n{words}{source}")
    return root


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[str]:
    """A virtual board that counts, of the state folder of this test."""
    state = tmp_path / "state"
    (state / "virtual").parent.mkdir(exist_ok=True)
    (state / "virtual").symlink_to(STATE / "virtual")  # the image of all tests
    name = own("bisected")
    cli.run("device", "up", "--kind", "pi3-counted", "--name", name, cwd=tmp_path, state=state)
    yield name
    cli.run("device", "down", "--name", name, cwd=tmp_path, state=state)


def test_the_planted_version_of_eight_is_found_round_one_that_is_not_built(
    project: Path, pi: str, tmp_path: Path
) -> None:
    line = ("bisect", "dot-neon-false", "1.0", "1.7", "--source", "dot", "--host", pi)
    short = ("--batches", "1", "--rounds", "1", "--passes", "1", "--warmup", "0")
    found = cli.document(*line, *short, cwd=project, state=tmp_path / "state")
    assert (found["last_good"], found["first_bad"], found["unclear"]) == ("1.4", "1.5", [])
    assert found["measurements"] == 3
    assert [(one["version"], one["word"]) for one in found["steps"]] == [
        (BROKEN, "unclear"),
        ("1.4", "good"),
        ("1.5", "bad"),
    ]
    out, _ = cli.run(*line, *short, cwd=project, state=tmp_path / "state")
    assert "dot 1.5 is the first that is worse; 1.4 is the last good; 3 measurements" in out
    assert "1.3: unclear; not built" in out
