"""A board of this machine with a home folder of its own, that OpenSSH or dropbear serves."""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests import dropbear, sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from buildmatrix.nouns import BoardAddress

SERVERS = ("sshd", "dropbear")


@dataclass(frozen=True, slots=True)
class Reached:
    target: BoardAddress
    home: Path


@pytest.fixture(params=SERVERS)
def reached(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reached]:
    """Sessions run in this user's own shell, whichever server it is."""
    with (_dropbear if request.param == "dropbear" else _openssh)(tmp_path) as there:
        yield there


@contextmanager
def _dropbear(place: Path) -> Iterator[Reached]:
    with dropbear.serving(place, pwd.getpwuid(os.getuid()).pw_shell) as server:
        yield Reached(server.target, server.home)


@contextmanager
def _openssh(place: Path) -> Iterator[Reached]:
    home = place / "home"
    home.mkdir()
    with sshd.serving(place) as servers:
        yield Reached(servers.start(f"SetEnv HOME={home}").target(servers.identity), home)
