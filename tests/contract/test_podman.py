"""Podman as it is in Debian 12 and 13 keeps what an Engine promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix.container import DockerEngine
from tests import podman
from tests.boards import STATE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.nightly, pytest.mark.docker]


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Where a Podman of the suite answers: the installed one, or trixie's packages unpacked."""
    folder = tmp_path_factory.mktemp(f"podman-{request.param}")
    root = None if request.param == "bookworm" else podman.unpacked(STATE, request.param)
    with podman.serving(folder, root) as url:
        engine = DockerEngine({"DOCKER_HOST": url})
        assert engine.version().startswith("Podman Engine "), engine.version()
        engine.close()
        yield {**os.environ, "DOCKER_HOST": url}


def test_the_contract_of_an_engine_holds(place: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "docker"]
    done = subprocess.run(
        [*argv, "tests/contract/test_engine.py"],
        cwd=ROOT,
        env=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
