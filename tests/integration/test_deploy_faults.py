"""Deploys to a virtual Pi whose link breaks, whose disk is full, whose power goes.

What the board's scripts do is tested in tests/contract on this machine's shells; here sshd, a slow
link and a real power cut are between the two.
"""

from __future__ import annotations

import contextlib
import gzip
import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from buildmatrix import agent, deploy, device, ssh
from buildmatrix.agent import call, calls
from buildmatrix.boards import greeting
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import BoardAddress, Target
from buildmatrix.protocols import Advanced
from tests import binfmt
from tests.boards import boot, remove
from tests.contract.deploy_board import Memory, at_once, noise
from tests.fakes import RecordingReporter
from tests.linkshaper import Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.synchronize import Event as Flag

    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import CommandResult, Connection, Event

pytestmark = pytest.mark.board

# What the board's sshd, pipes and unpackers hold when a reset comes. The rest of what it was sent
# is kept.
HELD_BACK = 300_000
NAME = "deploy-faults"
BOOKWORM = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")

arm_programs = binfmt.arm_programs


@pytest.fixture(scope="module")
def target() -> Iterator[BoardAddress]:
    yield boot(NAME)
    remove(NAME)


@pytest.fixture(scope="module")
def bare() -> Iterator[BoardAddress]:
    """A board with busybox and dropbear alone."""
    yield boot("deploy-bare", "pi3-dropbear")
    remove("deploy-bare")


@pytest.fixture
def store() -> Memory:
    return Memory()


def connected(target: BoardAddress, **changes: Any) -> ssh.SshConnection:
    return ssh.connect(replace(target, **changes), timeout=180, known_hosts=None)


LINES: dict[tuple[int, str], ssh.SshConnection] = {}


@contextlib.contextmanager
def line(target: BoardAddress, user: str = "pi") -> Iterator[ssh.SshConnection]:
    """A connection that stays open: logging in is dear on an emulated core."""
    there = (target.port, user)
    try:
        LINES[there].run("true", timeout=180)
    except (KeyError, LinkLost):
        LINES[there] = connected(target, user=user)
    yield LINES[there]


def push(
    connection: Connection, store: Memory, bundle: Bundle, prefix: str, **settings: Any
) -> deploy.Pushed:
    return deploy.push(
        connection,
        [bundle],
        store,
        prefix=prefix,
        subject="pi3",
        **{"reporter": RecordingReporter(), **settings},
    )


def say(target: BoardAddress, script: str, *, user: str = "pi") -> str:
    with line(target, user) as connection:
        result = connection.run(script, timeout=180)
    assert result.status == 0, result.stderr.decode()
    return result.stdout.decode()


def noticed(target: BoardAddress, prefix: str) -> None:
    """Wait until the board has seen that a link was cut, and put aside what had come."""
    end = time.monotonic() + 240
    while say(target, f"if [ -e {prefix}/tmp ]; then ls {prefix}/tmp; fi"):
        assert time.monotonic() < end
        time.sleep(0.5)


def arrived(target: BoardAddress, prefix: str, size: int) -> None:
    """Wait until so many bytes of a deploy that is under way are on the board's disk."""
    end = time.monotonic() + 240
    while int(say(target, f"du -sk {prefix}/tmp 2> /dev/null || echo 0").split()[0]) * 1024 < size:
        assert time.monotonic() < end
        time.sleep(0.2)


@contextmanager
def breaking(target: BoardAddress, prefix: str, at: int, mbit: float) -> Iterator[Link]:
    """A slow link that breaks after `at` bytes, as soon as the board has unpacked what came.

    However far a busy machine's board is behind: what is lost is what its programs hold back.
    """
    with Link(target.port, mbit=mbit, round_trip_ms=20, cut=at, silence=300) as link:

        def watch() -> None:
            arrived(target, prefix, at - HELD_BACK + 30_000)
            link.snap()

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        yield link
        watching.join()


def made(store: Memory, version: int, size: int = 700_000, **more: bytes) -> Bundle:
    names = ["bin/runner", "lib/a", "lib/b", "model/net"]
    return store.bundle("c", more | {n: noise(f"{n} {version}", size) for n in names}, so="a")


def complete(connection: Connection, bundle: Bundle, prefix: str) -> bool:
    """Is that bundle what its cell leads to? The board reads and hashes every file of it."""
    sums = "".join(f"{r.sha256}  {r.path}\n" for r in bundle.files if not r.link)
    script = f"cd ~/{prefix}/cells/{bundle.cell} && sha256sum -c > /dev/null && readlink lib/so"
    result = connection.run(script, timeout=180, stdin=[sums.encode()])
    return result.status == 0 and result.stdout == b"a\n"


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        pytest.param("target", 0.01, marks=pytest.mark.nightly),
        ("target", 0.5),
        pytest.param("target", 0.99, marks=pytest.mark.nightly),
        ("bare", 0.5),
    ],
)
def test_cut_and_resumed(
    request: pytest.FixtureRequest, store: Memory, kind: str, share: float
) -> None:
    target: BoardAddress = request.getfixturevalue(kind)
    bundle, prefix = made(store, int(share * 100), 300_000), f".cut{int(share * 100)}"
    at = int(bundle.size * share) + 10_000  # logging in and asking
    with line(target) as connection:
        call(connection, ":", prefix=prefix, timeout=180)  # the scripts are there: a later deploy
    with (
        breaking(target, prefix, at, mbit=2) as first,
        connected(target, port=first.port) as connection,
        pytest.raises(LinkLost),
    ):
        push(connection, store, bundle, prefix)
    noticed(target, prefix)
    with (
        Link(target.port, mbit=2, round_trip_ms=20) as second,
        connected(target, port=second.port) as connection,
    ):
        pushed = push(connection, store, bundle, prefix)
        assert complete(connection, bundle, prefix)
    assert first.up == at
    assert pushed.kept_bytes > at - HELD_BACK
    assert second.up < bundle.size - pushed.kept_bytes + 60_000, "the rest, log-in and scripts"
    assert say(target, f"ls {prefix}/tmp {prefix}/parts").split() == [
        f"{prefix}/parts:",
        f"{prefix}/tmp:",
    ]


def test_nothing_changed_is_one_round_trip_and_few_bytes(
    target: BoardAddress, store: Memory
) -> None:
    bundle = made(store, 1)
    with line(target) as connection:
        push(connection, store, bundle, ".same")
    with Link(target.port) as link, connected(target, port=link.port) as connection:
        asked = Counting(connection)
        packed = call(asked, greeting.QUESTION, prefix=".same", timeout=180).stdout
        answer = gzip.decompress(packed)
        assert device.parse("pi3", answer.decode()).elf_machine == "EM_ARM"
        known = deploy.read_listing(answer)
        assert push(asked, store, bundle, ".same", known=known) == deploy.Pushed(0, 0, ())
    assert asked.calls == 1
    assert link.up + link.down < 10_000, "logging in included"


class Counting:
    def __init__(self, inner: Connection) -> None:
        self.inner, self.calls = inner, 0

    @property
    def packed(self) -> int | None:
        return self.inner.packed

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        self.calls += 1
        return self.inner.run(script, timeout=timeout, stdin=stdin)

    def close(self) -> None:
        self.inner.close()


def test_a_full_disk_then_room(target: BoardAddress, store: Memory) -> None:
    before, after = made(store, 1, 200_000), made(store, 2, 500_000)
    mount = "mkdir -p /home/pi/.full && mount -t tmpfs -o size=2m,uid=1000,gid=1000"
    say(target, f"{mount} tmpfs /home/pi/.full", user="root")
    with line(target) as connection:
        push(connection, store, before, ".full")
        with pytest.raises(DeviceError, match="No space left") as caught:
            push(connection, store, after, ".full")
        assert "free space on the board" in caught.value.hint
        assert complete(connection, before, ".full")
        say(target, "mount -o remount,size=9m /home/pi/.full", user="root")
        resumed = push(connection, store, after, ".full")
        assert complete(connection, after, ".full")
    assert resumed.kept_bytes > 500_000, "what there was room for"


def test_a_read_only_disk(target: BoardAddress, store: Memory) -> None:
    before, after = made(store, 1, 20_000), made(store, 2, 20_000)
    say(target, "mkdir -p /home/pi/.ro && chown pi /home/pi/.ro", user="root")
    with line(target) as connection:
        push(connection, store, before, ".ro")
        say(
            target,
            "cd /home/pi && mount --bind .ro .ro && mount -o remount,ro,bind .ro",
            user="root",
        )
        with pytest.raises(DeviceError, match="Read-only file system") as caught:
            push(connection, store, after, ".ro")
        assert "remount" in caught.value.hint
        assert push(connection, store, before, ".ro") == deploy.Pushed(0, 0, ())
        say(target, "umount /home/pi/.ro", user="root")
        push(connection, store, after, ".ro")
        assert complete(connection, after, ".ro")


def test_two_deploys_at_once(target: BoardAddress, store: Memory) -> None:
    bundles = [made(store, version, 200_000) for version in range(3)]

    def attempt(bundle: Bundle) -> None:
        with connected(target) as connection:
            push(connection, store, bundle, ".crowd")

    assert at_once(attempt, bundles) == []
    with connected(target) as connection:
        assert sum(complete(connection, bundle, ".crowd") for bundle in bundles) == 1


def test_a_corrupted_file_is_found_and_mended(target: BoardAddress, store: Memory) -> None:
    bundle = made(store, 1, 50_000)
    with line(target) as connection:
        push(connection, store, bundle, ".rot")
        say(target, "cd .rot/cells/c/lib && chmod u+w a && printf rot | dd of=a conv=notrunc 2>&1")
        assert not complete(connection, bundle, ".rot")
        assert push(connection, store, bundle, ".rot", verify=True).sent_objects == 1
        assert complete(connection, bundle, ".rot")


@contextmanager
def altered(command: str, happens: str) -> Iterator[None]:
    """Something happens on the board just before its script comes to a command."""
    text = agent.program().text
    assert text.count(command) == 1
    other = agent.Program(text.replace(command, f"{happens}; {command}"))
    with patch.object(calls, "program", lambda: other):
        yield


SWITCH = [  # every command of it, in order
    'ln -s ../../../objects "$work/in/objects"',
    'mv "$work/in/trees" "$work/in/objects" "$work/"',
    'mv "$work/in/bundles/$1" bundles/',
    'old=$(readlink "cells/$1")',
    '[ -z "$old" ] || point "$1.previous" "$old"',
    'point "$1" "$2" && echo "switched $1"',
    'mv -f "$work/$1" cells/',  # the way back
    'mv -f "$work/in/cells/$1" cells/',
    'echo "$now $1 $2" >> history',
    "wait\necho end",
]
WATCH = """cd .steps/cells || exit
while [ -e ~/watch ]; do
    for file in bin/runner lib/a lib/b model/net; do
        [ -s "c/$file" ] || echo "$file" >> ~/broken
    done
    sleep 0.02
done"""


@pytest.mark.nightly  # the same on this machine's shells: tests/contract/test_deploy_faults.py
def test_killed_at_every_step_of_the_switch_the_active_variant_is_whole(
    target: BoardAddress, store: Memory
) -> None:
    """All processes of the deploy are killed; a reader on the board looks all the time."""
    versions = [made(store, n, 5_000, common=b"stays") for n in range(len(SWITCH) + 2)]
    with line(target) as connection:
        push(connection, store, versions[0], ".steps")
        push(connection, store, versions[1], ".steps")
        say(target, f"touch watch; (sh -c '{WATCH}' > /dev/null 2>&1 < /dev/null &)")
        for before, after, command in zip(versions[1:], versions[2:], SWITCH, strict=False):
            killed = altered(command, "kill -KILL 0")
            with killed, pytest.raises(DeviceError, match="was killed"):
                push(connection, store, after, ".steps")
            stands = deploy.active(connection, prefix=".steps")["c"]
            (active,) = (bundle for bundle in (before, after) if bundle.digest == stands)
            assert complete(connection, active, ".steps"), command
            push(connection, store, after, ".steps")
        assert complete(connection, after, ".steps")
        deploy.prune(connection, prefix=".steps")  # takes what the last one killed left
    assert say(target, "rm watch; cat broken 2> /dev/null; ls .steps/tmp") == ""


def power_cut(target: BoardAddress, script: str = "") -> BoardAddress:
    """Off at once, and booted again: what the kernel had not written to the disk is lost."""
    with line(target, "root") as connection, pytest.raises(LinkLost):
        connection.run(f"{script}\necho o > /proc/sysrq-trigger; sleep 600", timeout=300)
    again = boot(NAME)
    assert again == target
    return again


@pytest.mark.nightly
def test_rebooted_between_a_cut_and_the_next_try(target: BoardAddress, store: Memory) -> None:
    bundle = made(store, 1, 500_000)
    with (
        breaking(target, ".reboot", 1_000_000, mbit=2) as link,
        connected(target, port=link.port) as connection,
        pytest.raises(LinkLost),
    ):
        push(connection, store, bundle, ".reboot")
    noticed(target, ".reboot")
    power_cut(target, "sync")
    with line(target) as connection:
        assert push(connection, store, bundle, ".reboot").kept_bytes > 1_000_000 - HELD_BACK
        assert complete(connection, bundle, ".reboot")


@pytest.mark.parametrize(
    "command",
    [
        # content is on the disk, has no names yet
        pytest.param('[ $# = 0 ] || mv -f "$@" objects/', marks=pytest.mark.nightly),
        'echo "$now $1 $2" >> history',  # switched, nothing of it synced
        pytest.param("wait\necho end", marks=pytest.mark.nightly),  # all is done
    ],
)
def test_the_power_goes(target: BoardAddress, store: Memory, command: str) -> None:
    """As root, who alone may pull the plug; the prefix is in root's home."""
    before, after = made(store, 1, 100_000), made(store, 2, 100_000)
    with line(target, "root") as connection:
        push(connection, store, before, ".power")
        push(connection, store, made(store, 0, 100_000), ".power")
        push(connection, store, before, ".power")
        off = altered(command, "echo o > /proc/sysrq-trigger; sleep 600")
        with off, pytest.raises(LinkLost):
            push(connection, store, after, ".power")
    boot(NAME)
    with line(target, "root") as connection:
        assert complete(connection, before, ".power") or complete(connection, after, ".power")
        push(connection, store, after, ".power")
        assert complete(connection, after, ".power")
        deploy.prune(connection, keep=1, prefix=".power")
        assert complete(connection, after, ".power")
        listed = connection.run("ls .power/tmp .power/parts .power/bundles", timeout=180).stdout
        assert listed.decode().split()[1:] == [after.digest, ".power/parts:", ".power/tmp:"]
        connection.run("rm -rf .power; sync", timeout=180)


class Telling:
    """Tells another process when a quarter is under way."""

    def __init__(self, under_way: Flag) -> None:
        self.under_way = under_way

    def emit(self, event: Event) -> None:
        if isinstance(event, Advanced) and event.done > event.total / 4:
            self.under_way.set()


def push_alone(target: BoardAddress, store: Memory, bundle: Bundle, under_way: Flag) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored
    with connected(target) as connection:
        push(connection, store, bundle, ".ctrl-c", reporter=Telling(under_way))


def test_ctrl_c_leaves_the_old_one_and_what_had_come(target: BoardAddress, store: Memory) -> None:
    before, after = made(store, 1, 20_000), made(store, 2)
    with line(target) as connection:
        push(connection, store, before, ".ctrl-c")
    spawn = multiprocessing.get_context("spawn")
    under_way = spawn.Event()
    with Link(target.port, mbit=1, round_trip_ms=20) as link:
        slow = replace(target, port=link.port)
        process = spawn.Process(target=push_alone, args=(slow, store, after, under_way))
        process.start()
        assert under_way.wait(240)
        arrived(target, ".ctrl-c", 200_000)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
        assert process.exitcode == 1, "it ends by itself, and not well"
    with line(target) as connection:
        assert complete(connection, before, ".ctrl-c")
        assert push(connection, store, after, ".ctrl-c").kept_bytes > 100_000
        assert complete(connection, after, ".ctrl-c")


def test_another_board_at_that_address_gets_nothing(target: BoardAddress, store: Memory) -> None:
    pin = "SHA256:" + "A" * 43
    with (
        Link(target.port) as link,
        pytest.raises(DeviceError, match="host key changed") as caught,
        connected(target, port=link.port, host_key=pin) as connection,
    ):
        push(connection, store, made(store, 1), ".wrong")
    assert not isinstance(caught.value, LinkLost), "permanent: nobody tries again"
    assert pin in caught.value.brief
    assert "inv device trust --host" in caught.value.hint
    assert link.up < 5_000, "the key exchange, and no bundle"
    assert say(target, "ls -d .wrong 2> /dev/null; true") == ""


def test_the_gate_sees_where_nothing_can_run_or_be_written(target: BoardAddress) -> None:
    folder = "/home/pi/.buildmatrix"
    cases = {"noexec": {"BM312"}, "ro": {"BM313"}, "size=5m": {"BM304"}}
    for options, found in cases.items():
        mount = f"mkdir -p {folder} && mount -t tmpfs -o {options} tmpfs {folder}"
        say(target, mount, user="root")
        with line(target) as connection:
            about = device.probe(connection, "pi3")
        say(target, f"umount {folder}", user="root")
        findings = device.unfit(about, BOOKWORM, needs_kib=20_000)
        assert {f.code for f in findings if f.severity == "error"} == found
        assert about.mount.startswith(f"{folder} ")
        assert about.float_abi == "hard"


@pytest.mark.docker
def test_a_container_is_deployed_to_as_well(arm_programs: None, store: Memory) -> None:
    bundle = made(store, 1, 100_000)
    try:
        target = boot("deploy-container", "container")
        with connected(target) as connection:
            assert push(connection, store, bundle, ".buildmatrix").sent_objects == 4
            assert complete(connection, bundle, ".buildmatrix")
            assert push(connection, store, bundle, ".buildmatrix") == deploy.Pushed(0, 0, ())
    finally:
        remove("deploy-container")
