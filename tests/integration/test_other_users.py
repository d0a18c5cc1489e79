"""A user who is not root, and a state folder in which root was at work before."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import tiny
from tests.integration import cli
from tests.integration.builds import looked_at

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user"),
]
ROOT = Path(__file__).parents[2]
SOCKET = Path("/var/run/docker.sock")
USER = 12345  # nobody of this machine
COMMANDS = (
    ("cells",),
    ("plan",),
    ("build",),
    ("why", "tiny-1"),
    ("audit", "tiny-1"),
    ("get", "tiny-1", "--out", "out"),
    ("report",),
    ("gc",),
    ("doctor",),
    ("sources",),
    ("device", "list"),
)


@dataclass(frozen=True, slots=True)
class User:
    """One who may use the engine and is nobody else: `home` is theirs, with a project in it."""

    home: Path

    @property
    def project(self) -> Path:
        return self.home / "project"

    @property
    def state(self) -> Path:
        return self.home / "state"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        group = SOCKET.stat().st_gid
        argv = ["setpriv", f"--reuid={USER}", f"--regid={USER}", f"--groups={group}"]
        path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
        settings = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PYTHONPATH": path}
        return subprocess.run(
            [*argv, interpreter(), "-m", "buildmatrix", *words, "--state", str(self.state)],
            cwd=self.project,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )


def interpreter() -> str:
    """One of this version that every user may start: this one may lie in root's home."""
    mine = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & 0o001 for folder in mine.parents):
        return str(mine)
    return f"/usr/bin/python3.{sys.version_info.minor}"


@pytest.fixture
def user() -> Iterator[User]:
    with tempfile.TemporaryDirectory(prefix="buildmatrix-user-", dir="/tmp") as name:
        home = Path(name)
        home.chmod(0o755)
        there = User(home)
        tiny.write(there.project)
        looked_at(there.state)
        subprocess.run(["chown", "-R", f"{USER}:{USER}", home], check=True)
        yield there


def test_who_is_in_the_engine_s_group_builds_without_root_and_without_a_registry(
    user: User,
) -> None:
    """The images are the engine's, for all who may use it; what is made is the user's own."""
    built = user.run("build")
    assert built.returncode == 0, built.stderr
    assert {path.lstat().st_uid for path in user.state.rglob("*")} == {USER}
    got = user.run("get", "tiny-1", "--out", str(user.home / "out"))
    assert got.returncode == 0, got.stderr
    assert (user.home / "out/lib/libtiny.so.1").stat().st_uid == USER


def test_what_root_makes_in_a_user_s_folder_is_the_user_s(user: User, tmp_path: Path) -> None:
    """But for what is a link, or a file that has another name elsewhere."""
    system = tmp_path / "system"
    system.write_text("root's")
    cli.run("build", cwd=user.project, state=user.state)
    assert theirs(user.state) == {USER}
    os.link(system, user.state / "linked")
    (user.state / "leads").symlink_to(tmp_path)
    cli.run("build", cwd=user.project, state=user.state)
    assert {system.stat().st_uid, tmp_path.stat().st_uid} == {0}
    assert user.run("build").returncode == 0


def theirs(folder: Path) -> set[int]:
    """The owners of what is in a folder, and of the folder."""
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*")) if not path.is_symlink()}


def test_what_root_left_in_a_user_s_state_folder_is_named_with_its_owner(user: User) -> None:
    """By each command that needs it, and none ends in a traceback. Root leaves it when killed."""
    cli.run("build", cwd=user.project, state=user.state)
    subprocess.run(["chown", "-R", "root:root", user.state], check=True)
    said = {" ".join(words): user.run(*words) for words in COMMANDS}
    assert [name for name, done in said.items() if "Traceback" in done.stderr] == []
    for name in ("plan", "build", "audit tiny-1"):
        assert said[name].returncode == 1, name
        assert "permission denied: it is root's, mode" in said[name].stderr, said[name].stderr
        assert f"{user.state}/" in said[name].stderr
        assert "chown -R" in said[name].stderr
    assert "state folder" in said["doctor"].stderr, said["doctor"].stderr
    subprocess.run(["chown", "-R", f"{USER}:{USER}", user.state], check=True)
    assert user.run("build").returncode == 0, "as the hint says"
