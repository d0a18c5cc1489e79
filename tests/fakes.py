"""Stand-ins with a memory, for tests. They pass the same contract suites as the real things."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

from buildmatrix.agent import LONGEST
from buildmatrix.errors import LinkLost
from buildmatrix.protocols import CommandResult, ContainerExit, EngineImage
from buildmatrix.ssh.ending import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from buildmatrix.protocols import ContainerSpec, Event


class RecordingReporter:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def sent_bytes(script: str) -> int:
    """Of the command as it goes over the wire, see SshConnection.run."""
    return len(f"exec sh -c {shlex.quote(marked(script, 'f' * 16))}".encode())


class LocalShell:
    """A Connection to this machine: real sh, tar and sha256sum, with `home` as the board's HOME."""

    packed: int | None = None

    def __init__(self, home: Path) -> None:
        self.home = home
        self.scripts: list[str] = []

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        return self.converse(script, timeout=timeout, stdin=stdin or (), heard=lambda _: None)

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        self.scripts.append(script)
        assert sent_bytes(script) < LONGEST, "dropbear would close the link"
        process = subprocess.Popen(
            ["sh", "-c", script],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # The feeder and the listener own theirs; communicate() must not.
        pipe, process.stdin = process.stdin, None
        said, process.stdout = process.stdout, None
        with ThreadPoolExecutor(2) as pool:
            feeding = pool.submit(_feed, pipe, stdin)
            listening = pool.submit(_listen, said, heard)
            try:
                _, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise LinkLost(f"no answer within {timeout:g} s") from None
        if fault := feeding.exception():
            raise fault
        return CommandResult(max(process.returncode, -1), listening.result(), err)

    def close(self) -> None:
        pass


def _listen(pipe: IO[bytes] | None, heard: Callable[[bytes], None]) -> bytes:
    assert pipe is not None
    pieces = []
    with pipe:
        while piece := os.read(pipe.fileno(), 65536):
            pieces.append(piece)
            heard(piece)
    heard(b"")
    return b"".join(pieces)


def _feed(pipe: IO[bytes] | None, chunks: Iterable[bytes]) -> None:
    """Write until the far side stops reading; a closed pipe is its right."""
    assert pipe is not None
    try:
        for chunk in chunks:
            pipe.write(chunk)
    except BrokenPipeError:
        pass
    finally:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


class LocalEngine:
    """An Engine without containers: programs run here, as they are. For what isolation is not
    about: status, lines, deadlines."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.processes: set[subprocess.Popen[bytes]] = set()
        self.starting = threading.Lock()
        self.stopping = threading.Event()

    def images(self, prefix: str) -> tuple[EngineImage, ...]:
        there = sorted(tag for tag in self.tags if tag.startswith(prefix))
        return tuple(EngineImage(tag, 1000, 1.0) for tag in there)

    def remove_image(self, tag: str) -> bool:
        self.tags.pop(tag, None)
        return True

    def image_id(self, tag: str) -> str | None:
        return self.tags.get(tag)

    def pull(self, reference: str) -> str | None:
        return None

    def import_rootfs(self, tar: Path, tag: str) -> str:
        self.tags[tag] = f"sha256:{hashlib.sha256(tar.read_bytes()).hexdigest()}"
        return self.tags[tag]

    def save_image(self, tag: str) -> Iterator[bytes]:
        yield f"{tag} {self.tags[tag]}".encode()

    def load_image(self, pieces: Iterable[bytes]) -> None:
        tag, image = b"".join(pieces).decode().split()
        self.tags[tag] = image

    def build_image(self, context: Path, tag: str, on_line: Callable[[str], None]) -> str:
        text = (context / "Dockerfile").read_text()
        for line in text.splitlines():
            on_line(line)
        self.tags[tag] = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        return self.tags[tag]

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        with self.starting:
            if self.stopping.is_set():
                raise KeyboardInterrupt
            process = subprocess.Popen(
                spec.argv,
                env={"PATH": os.environ["PATH"], **spec.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.processes.add(process)
        try:
            said, _ = process.communicate(timeout=spec.timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return ContainerExit(137, out_of_memory=False, timed_out=True)
        finally:
            with self.starting:
                self.processes.discard(process)
        if self.stopping.is_set():
            raise KeyboardInterrupt
        for line in said.decode(errors="replace").splitlines():
            on_line(line)
        return ContainerExit(process.returncode, out_of_memory=False, timed_out=False)

    def attach(self, spec: ContainerSpec) -> int:
        environment = {"PATH": os.environ["PATH"], **spec.environment}
        return subprocess.run(spec.argv, env=environment, check=False).returncode

    def stop(self) -> None:
        self.stopping.set()
        with self.starting:
            for process in self.processes:
                os.killpg(process.pid, signal.SIGKILL)

    def remove_stale(self, label: str, value: str) -> int:
        return 0

    def close(self) -> None:
        pass
