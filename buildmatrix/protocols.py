"""What the stages may ask of the world. The edges (Docker, SSH, disk, SQLite) implement these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Started:
    """Work on `subject` (an action id, a board, an upload) began."""

    subject: str
    title: str


@dataclass(frozen=True, slots=True)
class Output:
    """One line that the work printed."""

    subject: str
    line: str


@dataclass(frozen=True, slots=True)
class Advanced:
    """`done` of `total` (bytes or blocks, see `unit`)."""

    subject: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class Finished:
    subject: str
    outcome: Literal["done", "cached", "failed", "unavailable"]
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far a build is: works that run, works that wait, about how many seconds are left."""

    running: int
    waiting: int
    seconds: float


Event = Started | Output | Advanced | Finished | Note | Outlook


class Reporter(Protocol):
    """Receives events; the core never prints. A reporter that fails must not fail the work."""

    def emit(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class CommandResult:
    status: int  # exit status; -1 when killed by a signal on the far side
    stdout: bytes
    stderr: bytes


class Connection(Protocol):
    """A POSIX shell on a board. One verb, because sh, tar and sha256sum are all a board has."""

    @property
    def packed(self) -> int | None:
        """Bytes that went over the wire so far, when what is sent is packed on the way and unpacked
        before the board's shell sees it; None where it goes as it is."""
        ...

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        """Run `script` with `sh -c` on the board.

        `timeout` is a deadline in seconds for the whole call. Raises `errors.LinkLost` when the
        connection breaks or the deadline passes; a non-zero status is a result, not an error.
        """
        ...

    def close(self) -> None: ...


class Conversation(Connection, Protocol):
    """A Connection on which what is sent may depend on what the board said meanwhile."""

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        """As `run`; `heard` gets each piece of the script's output when it comes, in the calling
        thread, and at the end of it, however that came about, nothing (b"")."""
        ...


class ObjectReader(Protocol):
    """Reads stored content by its sha256."""

    def open(self, sha256: str) -> BinaryIO: ...


@dataclass(frozen=True, slots=True)
class Mount:
    host: Path
    container: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container run: no network, not root, limited."""

    image: str
    argv: tuple[str, ...]
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    workdir: str
    memory_bytes: int
    timeout_seconds: float
    labels: Mapping[str, str]
    user: str  # "1000:1000"


@dataclass(frozen=True, slots=True)
class ContainerExit:
    status: int
    out_of_memory: bool
    timed_out: bool


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image under one of its tags; `size` in bytes, `made` in seconds since the epoch."""

    tag: str
    size: int
    made: float


class Engine(Protocol):
    """A container engine that speaks Docker's API."""

    def images(self, prefix: str) -> tuple[EngineImage, ...]:
        """The images whose tag begins so, sorted by tag."""
        ...

    def remove_image(self, tag: str) -> bool:
        """Take a tag away, and what nothing else holds of its image; False where a container, or
        another image, needs it."""
        ...

    def image_id(self, tag: str) -> str | None: ...

    def pull(self, reference: str) -> str | None:
        """The image's id, or None when no registry answers."""
        ...

    def import_rootfs(self, tar: Path, tag: str) -> str: ...

    def save_image(self, tag: str) -> Iterator[bytes]:
        """An image with its tag, as `load_image` takes it on any machine."""
        ...

    def load_image(self, pieces: Iterable[bytes]) -> None: ...

    def build_image(self, context: Path, tag: str, on_line: Callable[[str], None]) -> str: ...

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        """Run to the end. Lines of both streams come in the order in which they were written."""
        ...

    def attach(self, spec: ContainerSpec) -> int:
        """Run with this process's own input and output; the exit status."""
        ...

    def stop(self) -> None:
        """End all that runs, called by another thread: `run` raises KeyboardInterrupt there, and
        whenever it is called again."""
        ...

    def remove_stale(self, label: str, value: str) -> int:
        """Kill and remove containers carrying this label; the number removed."""
        ...

    def close(self) -> None: ...
