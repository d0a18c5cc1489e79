"""Deploys to a virtual Pi whose link breaks, whose disk is full, whose power goes.

What the board's scripts do is tested in tests/contract on this machine's shells; here sshd, a slow
link and a real power cut are between the two.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import deploy, ssh
from buildmatrix.errors import DeviceError, LinkLost
from tests.boards import boot, remove
from tests.contract.deploy_board import Memory, noise
from tests.fakes import RecordingReporter
from tests.linkshaper import Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buildmatrix.model import Bundle, SshTarget
    from buildmatrix.protocols import CommandResult, Connection

pytestmark = pytest.mark.board

# What the board's sshd, pipes and unpackers hold when a reset comes. The rest of what it was sent
# is kept.
HELD_BACK = 300_000


@pytest.fixture(scope="module")
def target() -> Iterator[SshTarget]:
    yield boot("deploy-faults")
    remove("deploy-faults")


@pytest.fixture(scope="module")
def bare() -> Iterator[SshTarget]:
    """A board with busybox alone."""
    yield boot("deploy-bare", "pi3-busybox")
    remove("deploy-bare")


@pytest.fixture
def store() -> Memory:
    return Memory()


def connected(target: SshTarget, **changes: Any) -> ssh.SshConnection:
    return ssh.connect(replace(target, **changes), timeout=60, known_hosts=None)


def back(target: SshTarget, **changes: Any) -> ssh.SshConnection:
    """Connected again, once the board has booted by itself."""
    deadline = time.monotonic() + 180
    while True:
        time.sleep(1)
        try:
            return connected(target, **changes)
        except LinkLost:
            if time.monotonic() > deadline:
                raise


def push(
    connection: Connection, store: Memory, bundle: Bundle, prefix: str, *, verify: bool = False
) -> deploy.Pushed:
    return deploy.push(
        connection, [bundle], store, prefix=prefix, reporter=RecordingReporter(), subject="pi3",
        verify=verify,
    )  # fmt: skip


def say(target: SshTarget, script: str, *, user: str = "pi") -> str:
    with connected(target, user=user) as connection:
        result = connection.run(script, timeout=60)
    assert result.status == 0, result.stderr.decode()
    return result.stdout.decode()


def made(store: Memory, version: int, size: int = 700_000) -> Bundle:
    names = ["bin/runner", "lib/a", "lib/b", "model/net"]
    return store.bundle("c", {n: noise(f"{n} {version}", size) for n in names}, so="a")


def complete(connection: Connection, bundle: Bundle, prefix: str) -> bool:
    """Is that bundle what its cell leads to? The board reads and hashes every file of it."""
    sums = "".join(f"{r.sha256}  {r.path}\n" for r in bundle.files if not r.link)
    script = f"cd ~/{prefix}/cells/{bundle.cell} && sha256sum -c > /dev/null && readlink lib/so"
    result = connection.run(script, timeout=60, stdin=[sums.encode()])
    return result.status == 0 and result.stdout == b"a\n"


@pytest.mark.parametrize("kind", ["target", "bare"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_cut_and_resumed(
    request: pytest.FixtureRequest, store: Memory, share: float, kind: str
) -> None:
    target: SshTarget = request.getfixturevalue(kind)
    bundle, prefix = made(store, int(share * 100)), f".cut{int(share * 100)}"
    at = int(bundle.size * share) + 10_000  # logging in and asking
    slow = {"mbit": 20, "round_trip_ms": 20}
    with (
        Link(target.port, **slow, cut=at) as first,
        connected(target, port=first.port) as connection,
        pytest.raises(LinkLost),
    ):
        push(connection, store, bundle, prefix)
    with (
        Link(target.port, **slow) as second,
        connected(target, port=second.port) as connection,
    ):
        pushed = push(connection, store, bundle, prefix)
        assert complete(connection, bundle, prefix)
    twice = first.up + second.up - bundle.size
    assert first.up == at
    assert twice < HELD_BACK, "bytes of both tries beyond the content"
    assert pushed.kept_bytes > at - HELD_BACK
    assert say(target, f"ls {prefix}/tmp {prefix}/parts").split() == [
        f"{prefix}/parts:", f"{prefix}/tmp:",
    ]  # fmt: skip


def test_nothing_changed_is_one_round_trip_and_few_bytes(target: SshTarget, store: Memory) -> None:
    bundle = made(store, 1)
    with connected(target) as connection:
        push(connection, store, bundle, ".same")
    with Link(target.port) as link, connected(target, port=link.port) as connection:
        asked = Counting(connection)
        assert push(asked, store, bundle, ".same") == deploy.Pushed(0, 0, ())
    assert asked.calls == 1
    assert link.up + link.down < 10_000, "logging in included"


class Counting:
    def __init__(self, inner: Connection) -> None:
        self.inner, self.calls = inner, 0

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        self.calls += 1
        return self.inner.run(script, timeout=timeout, stdin=stdin)

    def close(self) -> None:
        self.inner.close()


def test_a_full_disk_then_room(target: SshTarget, store: Memory) -> None:
    before, after = made(store, 1, 200_000), made(store, 2, 500_000)
    mount = "mkdir -p /home/pi/.full && mount -t tmpfs -o size=2m,uid=1000,gid=1000"
    say(target, f"{mount} tmpfs /home/pi/.full", user="root")
    with connected(target) as connection:
        push(connection, store, before, ".full")
        with pytest.raises(DeviceError, match="No space left") as caught:
            push(connection, store, after, ".full")
        assert "free space on the board" in caught.value.hint
        assert complete(connection, before, ".full")
        say(target, "mount -o remount,size=9m /home/pi/.full", user="root")
        resumed = push(connection, store, after, ".full")
        assert complete(connection, after, ".full")
    assert resumed.kept_bytes > 500_000, "what there was room for"


def test_a_read_only_disk(target: SshTarget, store: Memory) -> None:
    before, after = made(store, 1, 20_000), made(store, 2, 20_000)
    say(target, "mkdir -p /home/pi/.ro && chown pi /home/pi/.ro", user="root")
    with connected(target) as connection:
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


def test_two_deploys_at_once(target: SshTarget, store: Memory) -> None:
    bundles = [made(store, version, 200_000) for version in range(3)]
    failures: list[BaseException] = []

    def attempt(bundle: Bundle) -> None:
        try:
            with connected(target) as connection:
                push(connection, store, bundle, ".crowd")
        except BaseException as error:  # noqa: BLE001 # shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=attempt, args=(bundle,)) for bundle in bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with connected(target) as connection:
        assert sum(complete(connection, bundle, ".crowd") for bundle in bundles) == 1


def test_a_corrupted_file_is_found_and_mended(target: SshTarget, store: Memory) -> None:
    bundle = made(store, 1, 50_000)
    with connected(target) as connection:
        push(connection, store, bundle, ".rot")
        say(target, "cd .rot/cells/c/lib && chmod u+w a && printf rot | dd of=a conv=notrunc 2>&1")
        assert not complete(connection, bundle, ".rot")
        assert push(connection, store, bundle, ".rot", verify=True).sent_objects == 1
        assert complete(connection, bundle, ".rot")


class PowerCut(Counting):
    """The board loses its power, unsynced data and all, when its script comes to a line.

    Nobody tells the other end, which gives up after 15 seconds.
    """

    def __init__(self, inner: Connection, line: str) -> None:
        super().__init__(inner)
        self.line = line

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        fatal = "\nreceive " in script
        cut = script.replace(self.line, f"echo b > /proc/sysrq-trigger; sleep 60\n{self.line}")
        return super().run(cut, timeout=15 if fatal else timeout, stdin=stdin)


@pytest.mark.parametrize(
    "line",
    [
        "    adopt && install",  # all is there, nothing hashed or synced
        '    [ -z "$good" ] || mv -f $good objects/',  # content is on the disk, has no names yet
        "    now=$(date",  # the trees are built
        '    point "$1" "$2" && echo',  # the way back is laid, the step not made
        '    rm -rf "$work"\n    echo end',  # all is done
    ],
)
def test_the_power_goes_at_any_step(target: SshTarget, store: Memory, line: str) -> None:
    """As root, who alone may pull the plug; the prefix is in root's home."""
    before, after = made(store, 1, 100_000), made(store, 2, 100_000)
    with connected(target, user="root") as connection:
        push(connection, store, before, ".power")
        push(connection, store, made(store, 0, 100_000), ".power")
        push(connection, store, before, ".power")
        with pytest.raises(LinkLost):
            push(PowerCut(connection, line), store, after, ".power")
    with back(target, user="root") as connection:
        assert complete(connection, before, ".power") or complete(connection, after, ".power")
        push(connection, store, after, ".power")
        assert complete(connection, after, ".power")
        deploy.prune(connection, keep=1, prefix=".power")
        assert complete(connection, after, ".power")
        listed = connection.run("ls .power/tmp .power/parts .power/bundles", timeout=60).stdout
        assert listed.decode().split()[1:] == [after.digest, ".power/parts:", ".power/tmp:"]
        connection.run("rm -rf .power; sync", timeout=60)
