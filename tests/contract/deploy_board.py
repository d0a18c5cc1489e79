"""A board of this machine's own shell, for the deploy tests: its userland, its faults."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import shlex
import subprocess
import threading
from typing import TYPE_CHECKING, BinaryIO

import pytest

from buildmatrix import deploy
from buildmatrix.agent import PREFIX, program
from buildmatrix.errors import LinkLost
from buildmatrix.nouns import Bundle, FileRecord
from tests.fakes import LocalShell, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from buildmatrix.protocols import CommandResult, Connection

TOOLS = (  # all that a board needs, besides a shell
    "cat",
    "chmod",
    "date",
    "dd",
    "du",
    "find",
    "grep",
    "gzip",
    "head",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sleep",
    "sync",
    "tar",
    "wc",
)
RUNNER = b"#!/bin/sh\necho forward\n"


def at_once(attempt: Callable[[Bundle], object], bundles: Iterable[Bundle]) -> list[BaseException]:
    """What each attempt raised, of those that did; each is in a thread of its own."""
    faults: list[BaseException] = []

    def kept(bundle: Bundle) -> None:
        try:
            attempt(bundle)
        except BaseException as fault:  # noqa: BLE001 # shown by the caller's assertion
            faults.append(fault)

    threads = [threading.Thread(target=kept, args=(bundle,)) for bundle in bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


class Memory:
    """An ObjectReader over a dictionary."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def add(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.content[digest] = content
        return digest

    def open(self, sha256: str) -> BinaryIO:
        return io.BytesIO(self.content[sha256])

    def bundle(self, cell: str, files: dict[str, bytes], **links: str) -> Bundle:
        records = [
            FileRecord(path, self.add(data), len(data), executable=path.startswith("bin/"))
            for path, data in files.items()
        ]
        records += [FileRecord(f"lib/{name}", link=target) for name, target in links.items()]
        return Bundle(cell, hashlib.sha256(repr(records).encode()).hexdigest(), tuple(records))


class Board(LocalShell):
    """A LocalShell under Debian's tools or busybox's alone. It counts what crosses the wire."""

    def __init__(self, home: Path, userland: str = "debian") -> None:
        super().__init__(home)
        self.path = os.environ["PATH"]
        self.bytes = 0
        if userland == "busybox":
            applets = home.parent / "applets"
            if not applets.exists():
                applets.mkdir()
                subprocess.run(["busybox", "--install", "-s", applets], check=True)
            self.path = str(applets)

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        whole = f"PATH={self.path}; exec sh -c {shlex.quote(script)}"
        self.bytes += len(script.encode())
        fed = self._counted(stdin)
        result = super().converse(whole, timeout=timeout, stdin=fed, heard=heard)
        self.bytes += len(result.stdout) + len(result.stderr)
        return result

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            yield chunk


def begin_of_stream(sent: bytes) -> int:
    """Where what a line reads begins: after the mark and, where they are sent, the scripts."""
    head = re.match(rb"\n+\w+\n", sent)
    assert head
    carried = program().carried
    return head.end() + len(carried) * sent.startswith(carried, head.end())


class CutLink(Board):
    """The link breaks once, after `after` bytes of the first stream."""

    def __init__(self, home: Path, userland: str, after: int) -> None:
        super().__init__(home, userland)
        self.after: int | None = after

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        if self.after is None or "receive " not in script:
            return super().run(script, timeout=timeout, stdin=stdin)
        whole = b"".join(stdin or ())
        head, self.after = whole[: begin_of_stream(whole) + self.after], None
        super().run(script, timeout=timeout, stdin=[head])
        raise LinkLost("the connection broke")


class Altered(Board):
    """Something else happens on the board where a line of its script stands."""

    def __init__(self, home: Path, line: str, instead: str) -> None:
        super().__init__(home)
        self.line, self.instead = line, instead

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        return super().run(script.replace(self.line, self.instead), timeout=timeout, stdin=stdin)


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture(params=["debian", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    (tmp_path / "home").mkdir()
    return Board(tmp_path / "home", request.param)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def put(
    connection: Connection, store: Memory, *bundles: Bundle, verify: bool = False
) -> deploy.Pushed:
    return deploy.push(
        connection, bundles, store, reporter=RecordingReporter(), subject="pi3", verify=verify
    )


def noise(seed: str, size: int = 50_000) -> bytes:
    """Content that does not compress."""
    return random.Random(seed).randbytes(size)


def files(*names: str, version: int = 1, size: int = 50_000) -> dict[str, bytes]:
    """A bundle's files: content unlike each other, too large for one read."""
    return {"bin/runner": RUNNER} | {name: noise(f"{name} {version}", size) for name in names}


def run(home: Path, cell: str) -> str:
    runner = home / PREFIX / "cells" / cell / "bin" / "runner"
    return subprocess.run([runner], capture_output=True, check=True, text=True).stdout


def objects(home: Path) -> set[str]:
    return {p.name for p in (home / PREFIX / "objects").iterdir()}


def leftovers(home: Path) -> list[str]:
    return [str(p) for name in ("tmp", "parts") for p in (home / PREFIX / name).iterdir()]


def complete(home: Path, bundle: Bundle) -> bool:
    """Is that bundle what its cell leads to, every file of it, hashed?"""
    tree = home / PREFIX / "cells" / bundle.cell
    return tree.readlink().name == bundle.digest and all(
        str((tree / record.path).readlink()) == record.link
        if record.link
        else hashlib.sha256((tree / record.path).read_bytes()).hexdigest() == record.sha256
        for record in bundle.files
    )
