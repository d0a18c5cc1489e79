"""The wheel alone: installed into an empty environment, used in an empty folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000

pytestmark = pytest.mark.nightly  # it installs every dependency anew


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    (made,) = folder.glob("buildmatrix-*.whl")
    return made


def installed(wheel: Path, extras: str, venv: Path) -> Path:
    """The program in a new environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([venv / "bin/pip", "-q", "install", f"{wheel}{extras}"], check=True)
    return venv / "bin/buildmatrix"


@pytest.fixture(scope="module")
def program(wheel: Path) -> Path:
    return installed(wheel, "[all]", wheel.parent / "venv")


def run(program: Path, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [program, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["recipes", "toolchains", "models"])
def test_it_offers_all_that_the_repository_has(kind: str, program: Path, tmp_path: Path) -> None:
    document = json.loads(run(program, kind, "--json", cwd=tmp_path))
    file = {"recipes": "recipe", "toolchains": "toolchain", "models": "model"}[kind] + ".yaml"
    rows = document["offers" if kind != "toolchains" else kind]
    here = sorted(path.parent.name for path in (ROOT / kind).glob(f"*/{file}"))
    assert [row["name"] for row in rows] == here
    assert {row["origin"] for row in rows} == {"shipped"}


def test_a_project_in_an_empty_folder_plans_a_shipped_stack(program: Path, tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(
        "version: 1\ntoolchain: armv7hf-bookworm\ninclude: [{name: mine, stack: ncnn}]\n"
    )
    assert "build:ncnn@armv7hf-bookworm" in run(program, "plan", cwd=tmp_path)


def test_the_environment_is_small_enough_to_be_tried(wheel: Path, tmp_path: Path) -> None:
    """What lists, plans, builds and audits; extras say what to install when they are missing."""
    there = installed(wheel, "", tmp_path / "plain").parents[1]
    size = sum(path.lstat().st_size for path in there.rglob("*") if path.is_file())
    assert size < 250 * MEGABYTE
