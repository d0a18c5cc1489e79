"""A library that only some commands need may be absent: the others work, these say what to do."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from buildmatrix import extras
from buildmatrix.errors import BuildmatrixError

ROOT = Path(__file__).parents[2]
WITHOUT = (
    "import sys; sys.modules.update(dict.fromkeys({absent!r})); sys.argv[0] = 'buildmatrix'; "
    "from buildmatrix.cli import main; main()"
)
EVERY = [module for extra in extras.EXTRAS.values() for module in extra.modules]


def run(*words: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(absent=EVERY), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_the_table_is_what_the_package_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for_no_command = {"all", "dev", "docs"}
    assert set(extras.EXTRAS) == set(declared["optional-dependencies"]) - for_no_command
    assert declared["optional-dependencies"]["all"] == [f"buildmatrix[{','.join(extras.EXTRAS)}]"]
    for extra, (purpose, modules) in extras.EXTRAS.items():
        lines = declared["optional-dependencies"][extra]
        names = [line.split(">")[0].partition("[")[0] for line in lines]
        plain = (name.replace("-python", "").removesuffix("-lib") for name in names)
        assert [name.replace("-", "_") for name in plain] == list(modules)
        assert not [line for line in declared["dependencies"] if line.startswith(tuple(names))]
        assert purpose


@pytest.mark.slow
@pytest.mark.parametrize("words", [("cells",), ("models",), ("audit", sys.executable)])
def test_what_needs_none_of_them_works_without(words: tuple[str, ...]) -> None:
    status, text = run(*words)
    assert (status in (0, 5), "not installed" in text) == (True, False), text


@pytest.mark.slow
def test_a_command_that_needs_one_says_what_to_install(tmp_path: Path) -> None:
    status, text = run("compare", "previous", "latest", "--state", str(tmp_path))
    assert status == 1
    assert text == (
        "buildmatrix: the statistics of results need scipy, which is not installed\n"
        "next: pip install 'buildmatrix[verdicts]', or 'buildmatrix[all]' for everything\n"
    )


def test_any_other_absent_module_is_a_fault_of_ours() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        extras.explained(ModuleNotFoundError("nowhere", name="nowhere.at.all"))


def test_long_work_asks_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    extras.require("plots")
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(BuildmatrixError, match="plots and pages need vl_convert"):
        extras.require("plots")
