"""The container engine, through the Docker SDK. Any engine that speaks its API will do."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from buildmatrix.errors import BuildError, BuildmatrixError
from buildmatrix.protocols import ContainerExit, ContainerSpec, EngineImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


STATE, OWNER = "buildmatrix.state", "buildmatrix.owner"  # labels
# A container's two streams reach the log on two ways, and a compiler's error may stand before the
# line that calls it: the program gets one stream for both. Every image that is run has `sh`.
ONE_STREAM = ("sh", "-c", 'exec "$0" "$@" 2>&1')

MOST_PROCESSES = 8_192  # in one container: half of a machine's 32,768 are left to all else
LONGEST_LINE = 1 << 16  # bytes; a program may print for hours without a line end


class DockerEngine:
    """Implements protocols.Engine. Connects when it is made; close it when done."""

    def __init__(self, url: str | None = None, labels: Mapping[str, str] | None = None) -> None:
        """`labels` are put on every container, beside those of its own."""
        self.labels = dict(labels or {})
        self._stopping = threading.Event()
        self._running: dict[str, Any] = {}  # containers that `run` made, by id
        try:
            self.client = docker.DockerClient(base_url=url) if url else docker.from_env(timeout=600)
            self.client.ping()
        except (DockerException, requests.RequestException) as error:
            raise BuildmatrixError(
                "no container engine answers",
                details=str(error),
                hint="start Docker (`dockerd` as root), or set DOCKER_HOST; see `inv doctor`",
            ) from None

    def close(self) -> None:
        self.client.close()

    def version(self) -> str:
        """The engine's name and version, for people."""
        found = self.client.version()
        return f"{found['Platform']['Name'] or 'Docker Engine'} {found['Version']}"

    def image_id(self, tag: str) -> str | None:
        try:
            return str(self.client.images.get(tag).id)
        except ImageNotFound:
            return None

    def images(self, prefix: str) -> tuple[EngineImage, ...]:
        """The images whose tag begins so. Podman puts `localhost/` before it, which is left out."""
        found = {
            tag.removeprefix("localhost/"): image
            for image in self.client.api.images()
            for tag in image.get("RepoTags") or ()
        }
        return tuple(
            EngineImage(tag, int(image["Size"]), float(image["Created"]))
            for tag, image in sorted(found.items())
            if tag.startswith(prefix)
        )

    def remove_image(self, tag: str) -> bool:
        """Take a tag away, and its image where that has no other; False where one is in use."""
        try:
            self.client.images.remove(tag)
        except ImageNotFound:
            return True
        except APIError:
            return False
        return True

    def pull(self, reference: str) -> str | None:
        """The image's id, or None when no registry answers or it has no such image."""
        try:
            self.client.api.pull(reference)
        except (APIError, requests.RequestException):
            return None
        return self.image_id(reference)

    def import_rootfs(self, tar: Path, tag: str) -> str:
        repository, _, version = tag.rpartition(":")
        before = self.image_id(tag)
        self.client.api.import_image_from_file(str(tar), repository=repository, tag=version)
        found = self.image_id(tag)
        assert found is not None
        self._drop(before, found)
        return found

    def build_image(self, context: Path, tag: str, on_line: Callable[[str], None]) -> str:
        """Build the Dockerfile in `context`. Raises BuildError with what the step said."""
        lines: list[str] = []
        before = self.image_id(tag)
        # nocache: a layer that was kept is yesterday's packages
        steps = self.client.api.build(
            path=str(context), tag=tag, rm=True, nocache=True, decode=True
        )
        for event in steps:
            for line in str(event.get("stream") or event.get("error") or "").splitlines():
                if line.strip():
                    lines.append(line)
                    on_line(line)
            if "error" in event:
                raise BuildError(
                    f"image {tag} cannot be built: {event['error']}",
                    details="\n".join(lines[-15:]),
                )
        found = self.image_id(tag)
        if found is None:
            raise BuildError(f"image {tag} was built but is not there")
        self._drop(before, found)
        return found

    def _drop(self, before: str | None, now: str) -> None:
        """Remove the image that had the tag before: 700 MB a night, else. Not one still in use."""
        if before is None or before == now:
            return
        with contextlib.suppress(APIError):
            if not self.client.images.get(before).tags:
                self.client.images.remove(before)

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        """Run to the end, lines as they are written; the container is removed whatever happens."""
        container = self._created(spec)
        self._running[container.id] = container
        try:
            self._go_on()  # `stop` may have looked before this one was there
            container.start()
            timed_out = _follow(container, on_line, spec.timeout_seconds)
            container.reload()
            self._go_on()
            ended = container.attrs["State"]
            killed = bool(ended["OOMKilled"])
            return ContainerExit(int(ended["ExitCode"]), out_of_memory=killed, timed_out=timed_out)
        except (DockerException, requests.RequestException):
            self._go_on()
            raise
        finally:
            self._running.pop(container.id, None)
            _remove(container)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Remove all containers that `run` follows in other threads."""
        self._stopping.set()
        for container in tuple(self._running.values()):
            with contextlib.suppress(APIError, requests.RequestException):
                _remove(container)  # begun or not: one that is only killed might begin after it

    def attach(self, spec: ContainerSpec) -> int:
        """Run with this process's own input and output, a terminal where that is one.

        Returns the exit status. The container is the one that `run` makes, but for its time, which
        is not limited; joining a terminal to it is the work of Docker's command line.
        """
        client = shutil.which("docker")
        if client is None:
            raise BuildmatrixError(
                "joining a terminal to a container needs the program `docker`",
                hint="install Docker's command line (Debian: docker.io)",
            )
        container = self._created(spec, stdin_open=True, tty=sys.stdin.isatty())
        try:
            start = [client, "start", "--attach", "--interactive", container.id]
            return subprocess.run(start, check=False).returncode
        finally:
            _remove(container)

    def _created(self, spec: ContainerSpec, **more: Any) -> Any:
        return self.client.containers.create(
            spec.image,
            [*ONE_STREAM, *spec.argv],
            environment=dict(spec.environment),
            init=True,  # reaps, and lets an emulated program die of its signal
            labels={**self.labels, **spec.labels},
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,
            pids_limit=MOST_PROCESSES,
            # Docker's client puts the proxies of ~/.docker/config.json, and the passwords in them,
            # into every container otherwise.
            use_config_proxy=False,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            user=spec.user,
            volumes=[
                f"{m.host.resolve()}:{m.container}:{'rw' if m.writable else 'ro'}"
                for m in spec.mounts
            ],
            working_dir=spec.workdir,
            **more,
        )

    def owners(self, state: str) -> frozenset[str]:
        """Who made the containers that are there, running or not, for a state folder."""
        there = self.client.containers.list(all=True, filters={"label": f"{STATE}={state}"})
        return frozenset(container.labels.get(OWNER, "") for container in there) - {""}

    def remove_stale(self, label: str, value: str) -> int:
        stale = self.client.containers.list(all=True, filters={"label": f"{label}={value}"})
        for container in stale:
            _remove(container)
        return len(stale)


def _remove(container: Any) -> None:
    """Kill and remove; somebody else may be at it."""
    try:
        container.remove(force=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # gone; its removal is under way
            raise


def _follow(container: Any, on_line: Callable[[str], None], seconds: float) -> bool:
    """Hand out lines until the container ends; True when its time was up and it was killed."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        with contextlib.suppress(APIError, requests.RequestException):  # it has just ended
            container.kill()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True  # an interrupt at any line must not leave the program waiting for it
    stream: Iterable[bytes] = ()
    count = 0
    try:
        timer.start()
        stream = container.logs(stream=True, follow=True)
        for line in _lines(stream):
            count += 1
            on_line(line)
        container.wait()
    except BaseException:
        expire()  # a stream that is left half-read keeps its socket: end it, read it out
        for _ in stream:
            pass
        raise
    finally:
        timer.cancel()
    # Following ends before a last line without a line end (moby's issue 43860; in one of ten short
    # containers with 20.10.24), and the last words are those that tell why: the rest is read again.
    for line in itertools.islice(_lines(container.logs(stream=True)), count, None):
        on_line(line)
    return expired.is_set()


def _lines(stream: Iterable[bytes]) -> Iterator[str]:
    """Lines out of pieces that are cut anywhere; bytes that are no text are shown as U+FFFD. What
    is longer than any line is several."""
    rest = b""
    for piece in stream:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        yield from (line.decode(errors="replace").rstrip("\r") for line in lines)
    if rest:
        yield rest.decode(errors="replace")
