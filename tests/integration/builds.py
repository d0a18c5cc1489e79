"""What tests of builds in real containers share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from buildmatrix.container import DockerEngine
from tests.boards import STATE

if TYPE_CHECKING:
    from pathlib import Path


def looked_at(state: Path) -> None:
    """The image is there and has passed its smoke test, which is another test's matter."""
    record = STATE / "toolchains" / "armv7hf-bookworm.json"
    if record.exists():
        (state / "toolchains").mkdir(parents=True)
        shutil.copy(record, state / "toolchains")


def containers(state: Path) -> list[str]:
    """The works whose containers are there, of a state folder."""
    engine = DockerEngine()
    try:
        there = engine.client.containers.list(
            all=True, filters={"label": f"buildmatrix.state={state}"}
        )
        return [container.labels["buildmatrix.work"] for container in there]
    finally:
        engine.close()
