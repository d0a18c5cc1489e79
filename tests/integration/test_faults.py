"""What goes wrong with link and power in the middle of a benchmark, done to a virtual Pi.

Each ends with complete, correct data, or with a clear error after which nothing is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import ssh
from buildmatrix.errors import DeviceError
from tests import rounds
from tests.boards import STATE
from tests.integration import cli
from tests.integration.harmed import ROOT, Harmed, complete, document, harmed, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

BOOT = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def board() -> Iterator[Harmed]:
    with harmed("faults") as there:
        yield there


@pytest.fixture(autouse=True)
def _empty(board: Harmed) -> Iterator[None]:
    """Each test finds the board without a run, whatever the one before it did."""
    yield
    run("bench", "--host", board.name, "--cancel")


def test_the_connection_is_cut_again_and_again(board: Harmed) -> None:
    with cli.start(*board.short, "--collect", "--json", cwd=ROOT, state=STATE) as process:
        for count in (1, 3, 5):
            board.until_lines(count, "pkill -KILL -u pi sshd || true", user="root")
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "trying again" in err
    complete(json.loads(out))


def test_the_board_freezes_and_wakes(board: Harmed) -> None:
    """The whole machine stands still, as in a brown-out; then it goes on."""
    qemu = int(Path(board.address.identity_file).with_name("pid").read_text())
    with cli.start(*board.short, "--collect", "--json", cwd=ROOT, state=STATE) as process:
        board.until_lines(2)
        os.kill(qemu, signal.SIGSTOP)
        try:
            time.sleep(20)
        finally:
            os.kill(qemu, signal.SIGCONT)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    complete(json.loads(out))


@pytest.mark.nightly
def test_the_board_is_rebooted_in_the_middle(board: Harmed) -> None:
    boot = board.does(BOOT)
    run(*board.short)
    board.until_lines(
        3, "sync; (sleep 1; echo b > /proc/sysrq-trigger) > /dev/null 2>&1 &", user="root"
    )
    until_rebooted(board, boot)
    complete(document(*board.short, "--collect"))


def until_rebooted(board: Harmed, before: str) -> None:
    """Have the board up, until it is not the one that was up before."""
    end, boot = time.monotonic() + 600, before
    while boot == before:
        assert time.monotonic() < end, "it does not reboot"
        run("device", "up", "--name", board.name, "--kind", "pi3-counted")
        with contextlib.suppress(DeviceError):
            boot = board.does(BOOT, timeout=60)  # it may go down in the middle of this


@pytest.mark.nightly
def test_the_host_key_changes_while_a_run_is_there(board: Harmed) -> None:
    run(*board.short)
    keys = "/etc/ssh/ssh_host_ed25519_key"
    renew = f"ssh-keygen -q -t ed25519 -N '' -f {keys} < /dev/null; pkill -o sshd"
    board.does(f"mkdir /kept && mv {keys}* /kept/ && {{ {renew}; }}", user="root")
    try:
        until_offered(board.address, pinned=False)
        _, err = run(*board.short, "--collect", code=6)
        assert "host key changed" in err
        assert "SHA256:" in err
    finally:  # the tests after this one have the same board
        with_new_key(board.address, "cp /kept/* /etc/ssh/; rm -r /kept; pkill -o sshd")
        until_offered(board.address, pinned=True)
    complete(document(*board.short, "--collect"))


def until_offered(board: BoardAddress, *, pinned: bool) -> None:
    """Wait until the board's sshd is back, with the key that is pinned or with another one."""
    end = time.monotonic() + 300
    while True:
        try:
            _, offered = ssh.fingerprint(board.host, board.port, timeout=120)
        except DeviceError:
            offered = ""
        if offered and (offered == board.host_key) is pinned:
            return
        assert time.monotonic() < end, "sshd is not back"
        time.sleep(0.5)


def with_new_key(board: BoardAddress, script: str) -> None:
    _, offered = ssh.fingerprint(board.host, board.port, timeout=120)
    root = replace(board, user="root", host_key=offered)
    with ssh.connect(root, timeout=120, known_hosts=None) as connection:
        connection.run(script, timeout=120)
