"""Where a generated ssh configuration leads, by `ssh -G` and by our own reader, as ssh says it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import DeviceError
from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh import dump
from buildmatrix.ssh.config import route
from tests.boards import STATE
from tests.servers import roots
from tests.ssh_configurations import HOST, OURS, TOO_OLD, alike, generated, judged, meant

if TYPE_CHECKING:
    from pathlib import Path

BOARD = BoardAddress("pi3", HOST)
FEW, NIGHTLY = 40, 400  # configurations


def disagreements(
    seeds: range, program: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Of all seeds, what the ssh at `program`, asked by us, and our own reader make otherwise."""
    lines = []
    for seed in seeds:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        config = folder / "config"
        config.write_text(generated(seed, folder))
        said = judged(program, config)
        for name, ssh in (("asked", program), ("own", None)):
            monkeypatch.setattr(dump, "installed", lambda ssh=ssh: ssh)
            try:
                ours = meant(route(BOARD, config=config, known_hosts=folder / "k"), folder / "k")
            except DeviceError as error:
                if not isinstance(said, str) and not any(word in str(error) for word in OURS):
                    lines.append(f"{seed}, {name}: refused, ssh takes it: {error}")
                continue
            if not isinstance(said, str):
                lines += [f"{seed}, {name}: {line}" for line in alike(ours, said)]
            elif ssh or not any(word in said for word in TOO_OLD):
                lines.append(f"{seed}, {name}: taken, ssh says {said}")
    return lines


def test_a_generated_configuration_is_read_as_the_ssh_of_this_machine_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disagreements(range(FEW), "ssh", tmp_path / "user", monkeypatch) == []


@pytest.mark.nightly
@pytest.mark.parametrize("suite", ["bookworm", "trixie", "sid"])
def test_hundreds_of_configurations_are_read_as_the_ssh_of_each_suite_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    program = roots.program(STATE / "servers", suite, "usr/bin/ssh", tmp_path)
    assert disagreements(range(NIGHTLY), program, tmp_path / "user", monkeypatch) == []
