"""What the agent changes on a board, it has the right to, writes down, and puts back."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import bench
from buildmatrix.bench.journal import parse
from buildmatrix.errors import BenchError
from tests.contract import bench_board
from tests.contract.bench_board import (
    SHELLS,
    Board,
    agent,
    asked,
    bundle,
    collect,
    kill,
    only,
    stuck,
    until,
    with_tools,
)

if TYPE_CHECKING:
    from pathlib import Path

shell = bench_board.shell


def conditions(got: bench.Collected) -> dict[str, Any]:
    """The event of that name, without its time; checks that the end was told too."""
    events = parse(got.journal).events
    assert events[0]["event"] == "conditions"
    return {k: v for k, v in events[0].items() if k not in ("event", "at")}


def told(got: bench.Collected) -> list[str]:
    return [event["event"] for event in parse(got.journal).events]


def cpus(shell: Board) -> list[Path]:
    folder = shell.sys / "devices/system/cpu"
    files = [folder / f"cpu{n}/cpufreq/scaling_governor" for n in (0, 1)]
    for file, governor in zip(files, ("ondemand", "powersave"), strict=True):
        shell.put(file, governor)
    return files


def seen_by_runner(shell: Board, files: list[Path]) -> None:
    named = " ".join(str(file) for file in files)
    bundle(shell.home, "one", f'cat {named} > "$HOME/seen"')


def test_the_governor_is_performance_while_blocks_run(shell: Board) -> None:
    files = cpus(shell)
    seen_by_runner(shell, files)
    bench.start(shell, only("one"))
    got = collect(shell)
    assert (shell.home / "seen").read_text().split() == ["performance", "performance"]
    assert [file.read_text() for file in files] == ["ondemand\n", "powersave\n"]
    assert conditions(got) == {
        "rights": "root",
        "governor": "performance",
        "was": "ondemand",
        "wireless": "kept",
    }
    assert told(got) == ["conditions", "restored"]


def test_what_is_asked_to_stay_stays(shell: Board) -> None:
    seen_by_runner(shell, cpus(shell))
    bench.start(shell, only("one", governor=False))
    got = collect(shell)
    assert (shell.home / "seen").read_text().split() == ["ondemand", "powersave"]
    assert (conditions(got)["governor"], told(got)) == ("ondemand", ["conditions"])


SUDO = '[ "$1" = -n ] || exit 9; shift; echo "$@" >> "$HOME/log"; exec "$@"'


@with_tools
@pytest.mark.parametrize(
    ("sudo", "rights", "governor"),
    [
        (SUDO, "sudo", "performance"),
        ("echo 'a password is required' >&2; exit 1", "none", "ondemand"),
    ],
)
def test_the_rights_of_a_user(shell: Board, sudo: str, rights: str, governor: str) -> None:
    shell.tool("id", "echo 1000")
    shell.tool("sudo", sudo)
    seen_by_runner(shell, cpus(shell)[:1])
    bench.start(shell, only("one", batches=(1,), wireless="off"))
    got = collect(shell)
    assert (shell.home / "seen").read_text().strip() == governor
    assert shell.governor == "ondemand"
    found = conditions(got)
    assert (found["rights"], found["governor"], found["was"]) == (rights, governor, "ondemand")
    if rights == "sudo":
        lines = (shell.home / "log").read_text().splitlines()
        assert [line.split()[0] for line in lines] == ["true", "tee", "tee", "true", "tee", "tee"]


def begun_and_stuck(shell: Board) -> int:
    stuck(shell, "two")
    bench.start(shell, asked())
    until((shell.home / "stuck").exists, "the runner")
    assert shell.governor == "performance"
    return agent(shell)


def test_the_guard_restores_after_a_killed_agent(shell: Board) -> None:
    kill(begun_and_stuck(shell))
    journal = shell.run_folder / "journal.jsonl"
    until(lambda: "restored" in journal.read_text(), "the guard's event")
    assert shell.governor == "ondemand"
    assert parse(journal.read_text()).events[-1]["event"] == "restored"


def test_whoever_comes_next_restores_when_the_guard_is_gone_too(shell: Board) -> None:
    pid = begun_and_stuck(shell)
    os.killpg(pid, signal.SIGKILL)
    until(lambda: bench_board.gone(pid), "the end of the agent")
    assert shell.governor == "performance"
    assert bench.state(shell).status == "stopped"
    assert shell.governor == "ondemand"


def test_a_reboot_has_undone_it(shell: Board) -> None:
    pid = begun_and_stuck(shell)
    os.killpg(pid, signal.SIGKILL)
    until(lambda: bench_board.gone(pid), "the end of the agent")
    file = shell.run_folder / "restore"
    boot, rest = file.read_text().split(" ", 1)
    file.write_text(f"{boot[::-1]} {rest}")
    bench.state(shell)
    assert shell.governor == "performance"  # by now it is somebody else's
    assert not file.exists()


def test_a_resumed_run_knows_the_first_governor(shell: Board) -> None:
    kill(begun_and_stuck(shell))
    bench_board.go_on(shell)
    got = collect(shell)
    assert [e["was"] for e in parse(got.journal).events if e["event"] == "conditions"] == [
        "ondemand",
        "ondemand",
    ]
    assert shell.governor == "ondemand"


def test_cancel_says_what_it_could_not_put_back(shell: Board) -> None:
    begun_and_stuck(shell)
    file = shell.sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor"
    file.unlink()
    file.mkdir()
    with pytest.raises(BenchError, match="run r1 is off the board, but not all") as caught:
        bench.cancel(shell)
    assert f"{file} ondemand" in caught.value.details
    assert bench.state(shell).status == "none"


# ---- wireless

ADDRESSES = r"""
[ "$1 $2 $3 $4" = "-o addr show dev" ] || exit 1
case $5 in
eth0) echo '2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\       valid_lft forever'
      echo '2: eth0    inet6 fe80::5/64 scope link \       valid_lft forever' ;;
wlan0) echo '3: wlan0    inet 10.0.0.50/24 brd 10.0.0.255 scope global wlan0\       valid_lft' ;;
tun0) echo '4: tun0    inet 10.8.0.1/24 scope global tun0\       valid_lft forever' ;;
*) exit 1 ;;
esac
"""


def interfaces(shell: Board) -> Path:
    """The flags of wlan0; eth0 is a device, tun0 is none."""
    net = shell.sys / "class/net"
    for name in ("eth0", "wlan0", "tun0"):
        shell.put(net / name / "flags", "0x1003")
    shell.put(net / "eth0/device/vendor", "x")
    shell.put(net / "wlan0/device/vendor", "x")
    shell.put(net / "wlan0/phy80211/name", "phy0")
    shell.tool("ip", ADDRESSES)
    return net / "wlan0/flags"


@pytest.mark.parametrize("shell", SHELLS[-1:], indirect=True)
def test_the_way_of_the_session_is_read_from_the_real_ip(shell: Board) -> None:
    flags = interfaces(shell)
    (shell.tools / "ip").unlink()
    shell.put(shell.sys / "class/net/lo/device/vendor", "as if it were a wire")
    seen_by_runner(shell, [flags])
    shell.environment["SSH_CONNECTION"] = "127.0.0.1 50000 127.0.0.1 22"
    bench.start(shell, only("one", batches=(1,), wireless="off"))
    assert conditions(collect(shell))["wireless"] == "off: wlan0"
    assert (shell.home / "seen").read_text().strip() == "0x1002"


@with_tools
@pytest.mark.parametrize("address", ["10.0.0.5", "::ffff:10.0.0.5", "fe80::5%eth0"])
def test_wireless_is_off_for_a_session_by_wire(shell: Board, address: str) -> None:
    flags = interfaces(shell)
    seen_by_runner(shell, [flags])
    shell.environment["SSH_CONNECTION"] = f"10.0.0.9 50000 {address} 22"
    bench.start(shell, only("one", batches=(1,), wireless="off"))
    got = collect(shell)
    assert (shell.home / "seen").read_text().strip() == "0x1002"
    assert flags.read_text().strip() == "0x1003"
    assert conditions(got)["wireless"] == "off: wlan0"
    assert told(got) == ["conditions", "restored"]


@with_tools
@pytest.mark.parametrize(
    "session",
    [
        "10.0.0.9 50000 10.0.0.50 22",  # its own address
        "10.8.0.2 50000 10.8.0.1 22",  # of a tunnel, which may go through the air
        "127.0.0.1 50000 127.0.0.1 22",
        "10.0.0.9 50000 10.0.0.500 22",
        "",
    ],
)
def test_wireless_stays_when_the_session_may_come_by_it(shell: Board, session: str) -> None:
    flags = interfaces(shell)
    seen_by_runner(shell, [flags])
    shell.environment["SSH_CONNECTION"] = session
    bench.start(shell, only("one", batches=(1,), wireless="off", governor=False))
    got = collect(shell)
    assert (shell.home / "seen").read_text().strip() == "0x1003"
    assert conditions(got)["wireless"] == "kept: the session may have come in over wlan0"


def test_a_board_without_wireless_says_so(shell: Board) -> None:
    bench.start(shell, only("one", batches=(1,), wireless="off"))
    assert conditions(collect(shell))["wireless"] == "none found"


def test_the_board_waits_until_it_is_as_cool_as_was_asked_for(shell: Board) -> None:
    """The zone is at 70 degrees; somebody opens a window while the board waits."""
    zone = shell.sys / "class/thermal/thermal_zone0/temp"
    shell.put(zone, "70000")
    bench.start(shell, only("one", batches=(1,), rounds=1, cool_down=60))
    until((shell.run_folder / "heartbeat").exists, "the agent is at work")
    time.sleep(1)
    assert not (shell.home / "calls").exists()
    zone.write_text("59000\n")
    journal = parse(collect(shell).journal)
    assert len(journal.blocks) == 3
    (cooled,) = [event for event in journal.events if event["event"] == "cooled"]
    assert cooled["block"] == 0
    assert cooled["seconds"] >= 1
    assert cooled["millicelsius"] == 59000


def test_a_board_that_does_not_tell_its_temperature_does_not_wait(shell: Board) -> None:
    bench.start(shell, only("one", batches=(1,), rounds=1, cool_down=60))
    events = [event["event"] for event in parse(collect(shell).journal).events]
    assert "cooled" not in events


def test_every_policy_s_clock_and_the_hottest_zone_are_read(shell: Board) -> None:
    """An RK3399's: the big cores are held down, and the second zone is the hot one."""
    policies = {"policy0": ("1416000", "1416000"), "policy4": ("1800000", "408000")}
    for policy, (limit, clock) in policies.items():
        folder = shell.sys / "devices/system/cpu/cpufreq" / policy
        shell.put(folder / "scaling_max_freq", limit)
        shell.put(folder / "scaling_cur_freq", clock)
    # A sensor that is off says something below zero, one that is broken something absurd.
    for number, heat in enumerate(("41000", "83000", "-274000", "250000", "79000")):
        shell.put(shell.sys / f"class/thermal/thermal_zone{number}/temp", heat)
    bench.start(shell, only("one", batches=(1,), rounds=1))
    for block in parse(collect(shell).journal).blocks:
        assert block.before["limits_khz"] == "1416000 1800000"
        assert block.before["clocks_khz"] == "1416000 408000"
        assert block.before["millicelsius"] == 83000


def metered(shell: Board, answer: str) -> list[float | None]:
    """What the meter read beside a runner that waits until it was asked twice."""
    waiting = 'while [ "$(grep -c . readings)" -lt 2 ] 2> /dev/null; do sleep 0.1; done'
    bundle(shell.home, "one", f": >> readings; {waiting}")
    bench.start(shell, only("one", batches=(1,), rounds=1, power=answer))
    first, *others = parse(collect(shell).journal).blocks
    assert all(len(block.power) >= 2 for block in (first, *others))
    assert first.after is not None
    for at, _ in first.power:
        assert at is not None
        assert first.before["uptime"] <= at <= first.after["uptime"]
    return [watts for _, watts in first.power]


def test_a_meter_is_read_beside_every_runner(shell: Board) -> None:
    assert set(metered(shell, "echo 2.75")) == {2.75}


@pytest.mark.parametrize("answer", ["echo 1e3", "echo '2.5 W'", "false", "echo 007", "echo -2"])
def test_what_a_meter_says_that_is_no_number_is_null(shell: Board, answer: str) -> None:
    assert set(metered(shell, answer)) == {None}
