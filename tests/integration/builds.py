"""What tests of builds in real containers share."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from buildmatrix.container import DockerEngine
from tests import rounds, tiny
from tests.boards import STATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A matrix of two cells over one small source, with the real toolchain, which was looked at in
    the state folder `tmp_path / "state"`."""
    root = tmp_path / "project"
    tiny.write(root)
    looked_at(tmp_path / "state")
    return root


def wait_for(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    """Look twenty times a second until it is so. Fails after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def looked_at(state: Path) -> None:
    """The image is there and has passed its smoke test, which is another test's matter.

    Where it is being made this waits for it."""
    record = STATE / "toolchains" / "armv7hf-bookworm.json"
    rounds.wait(rounds.FIRST, record.exists)
    if record.exists():
        (state / "toolchains").mkdir(parents=True)
        shutil.copy(record, state / "toolchains")


def containers(state: Path) -> list[str]:
    """The works whose containers are there, of a state folder."""
    engine = DockerEngine(os.environ)
    try:
        there = engine.client.containers.list(
            all=True, filters={"label": f"buildmatrix.state={state}"}, ignore_removed=True
        )
        return [container.labels["buildmatrix.work"] for container in there]
    finally:
        engine.close()
