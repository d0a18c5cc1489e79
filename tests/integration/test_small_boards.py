"""The smallest boards there are: dropbear and busybox alone, above glibc or above musl."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from buildmatrix import device
from buildmatrix.boards.deploying import Means, Wish, deploy_all
from buildmatrix.boards.reach import Access
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import Cell, Target
from buildmatrix.pipeline.stored import Stored
from buildmatrix.protocols import Note
from buildmatrix.ssh import connect
from tests import boards
from tests.contract.deploy_board import Memory, files
from tests.fakes import RecordingReporter
from tests.servers.server import Door
from tests.servers.study import Study
from tests.servers.walk import STEPS, Walk, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from buildmatrix.nouns import BoardAddress

pytestmark = [pytest.mark.board, pytest.mark.nightly]

BOOKWORM = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")


@pytest.fixture(scope="module")
def musl() -> Iterator[BoardAddress]:
    yield boards.boot("musl", "pi3-musl")
    boards.remove("musl")


def test_a_board_of_musl_says_so(musl: BoardAddress) -> None:
    with connect(musl, timeout=60, known_hosts=None) as ssh:
        info = device.probe(ssh, "musl", timeout=120)
    assert info.libc.startswith("musl 1.")
    assert (info.elf_machine, info.init, info.libraries) == ("EM_ARM", "busybox", {})


def test_it_refuses_a_bundle_for_glibc_by_name_before_anything_is_sent(musl: BoardAddress) -> None:
    store = Memory()
    bundle = store.bundle("dot", files("lib/a"))
    cell = Stored(Cell("dot", "lenet-5", "dot", "armv7hf-bookworm", ()), BOOKWORM, bundle, None)
    reporter = RecordingReporter()
    with pytest.raises(DeviceError, match="no bundle can run on musl"):
        deploy_all((cell,), musl, Means(Access(), store, reporter, Wish()))
    errors = [e.message for e in reporter.events if isinstance(e, Note) and e.level == "error"]
    assert any("BM303" in words and "libc is musl" in words for words in errors), errors
    with connect(musl, timeout=60, known_hosts=None) as ssh:
        assert ssh.run("ls -A", timeout=60).stdout == b".ssh\n"


@pytest.mark.docker
def test_the_whole_way_of_a_bundle_on_dropbear_and_busybox_alone(tmp_path: Path) -> None:
    """From trust to prune, as the servers' table goes it on this machine: here on an armv7l board
    that has nothing else."""
    study = Study(tmp_path, "armv7hf-bookworm")
    study.prepare()
    board = boards.boot("small", "pi3-dropbear")
    shutil.copy(board.identity_file, study.home / ".ssh/id_ed25519")
    door = Door(board.port, board.host_key, "dropbear")
    answers = dict(verdicts(Walk(study, door, "pi", "EM_ARM")))
    boards.remove("small")
    assert answers == dict.fromkeys((name for name, _ in STEPS), "")
