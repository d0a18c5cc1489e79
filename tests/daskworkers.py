"""A Dask scheduler and workers of ours on loopback, as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix.container import STATE, DockerEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLI = "distributed.cli.dask_"
PRELOAD = ("--preload", "buildmatrix.cli.worker")


@dataclass
class Dask:
    """A running scheduler, and the workers that were started for it, by name."""

    root: Path
    address: str = ""
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def executor(self) -> str:
        return self.address.replace("tcp://", "dask://").replace("tls://", "dask+tls://")

    def state(self, name: str) -> Path:
        """The state folder of a worker."""
        return self.root / name

    def start(self, name: str, *arguments: str, version: str = "", threads: int = 2) -> None:
        """Start a worker; with `version` as one of another buildmatrix."""
        self.state(name).mkdir(exist_ok=True)
        self.workers[name] = _process(
            self.root / f"{name}.log",
            f"{CLI}worker",
            *(self.address, "--nthreads", str(threads), "--no-nanny", "--no-dashboard"),
            *("--local-directory", str(self.root / f"{name}.dask"), "--name", name),
            *(arguments or PRELOAD),
            state=self.state(name),
            version=version,
        )

    def joined(self, *names: str) -> None:
        """Wait until the scheduler knows these workers."""
        end = time.monotonic() + 240
        while not all("Registered to:" in self.log(name) for name in names):
            assert time.monotonic() < end, "\n".join(map(self.log, names))
            assert all(self.workers[name].poll() is None for name in names)
            time.sleep(0.05)

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text()

    def at_work(self) -> list[tuple[str, str]]:
        """Each work whose container is there, with the worker that has it."""
        engine = DockerEngine()
        try:
            # Rows as the engine lists them: to look at each meets those of others that just went.
            rows = engine.client.api.containers(all=True, filters={"label": "buildmatrix.work"})
            names = {str(self.state(name)): name for name in self.workers}
            labels = [row["Labels"] for row in rows]
            mine = [one for one in labels if one.get("buildmatrix.state") in names]
            return sorted(
                (one["buildmatrix.work"], names[one["buildmatrix.state"]]) for one in mine
            )
        finally:
            engine.close()

    def containers(self) -> list[str]:
        """The works whose containers are there, of any worker."""
        return [work for work, _ in self.at_work()]

    def clear(self) -> None:
        """Remove the containers of workers that are dead: no other has their state folders, and a
        test that failed may have left some that wait for ever."""
        engine = DockerEngine()
        try:
            for name in self.workers:
                engine.remove_stale(STATE, str(self.state(name)))
        finally:
            engine.close()


def _process(
    log: Path, module: str, *arguments: str, state: Path, version: str = ""
) -> subprocess.Popen[bytes]:
    # Another version is one with other bytes: the same code says so of itself.
    code = (
        "import sys, runpy\n"
        f"sys.argv = [{module!r}, *sys.argv[1:]]\n"
        + (
            f"from buildmatrix.cluster import errands\nerrands.version = lambda: {version!r}\n"
            if version
            else ""
        )
        + f"runpy.run_module({module!r}, run_name='__main__')\n"
    )
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "BUILDMATRIX_STATE": str(state), "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@contextmanager
def dask(root: Path, protocol: str = "tcp") -> Iterator[Dask]:
    """A scheduler on a free port of loopback; all of it ends with the context."""
    running = Dask(root)
    file = root / "scheduler.json"
    scheduler = _process(
        root / "scheduler.log",
        f"{CLI}scheduler",
        *("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)),
        *("--protocol", protocol),
        state=root,
    )
    try:
        running.address = _address(file, scheduler)
        yield running
    finally:
        # Not asked to end: a worker waits half a minute for what it makes.
        for process in (*running.workers.values(), scheduler):
            process.kill()
        for process in (*running.workers.values(), scheduler):
            process.wait(60)
        running.clear()


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end and scheduler.poll() is None:
        try:
            return str(json.loads(file.read_text())["address"])
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
    raise AssertionError((file.parent / "scheduler.log").read_text())
