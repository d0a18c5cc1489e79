"""The container engine, through the Docker SDK. Any engine that speaks its API will do."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import APIError, DockerException, NotFound

from buildmatrix.container.address import connect
from buildmatrix.container.ending import deadline, ended, in_words, remove
from buildmatrix.container.making import Making, remove_images
from buildmatrix.container.output import Output
from buildmatrix.container.podman import INFO, NAME, Podman
from buildmatrix.container.proxies import Reach
from buildmatrix.errors import BuildError, BuildmatrixError
from buildmatrix.protocols import ContainerExit, ContainerSpec, EngineImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


SOCKET = "http+docker://localhost"  # what the SDK makes of the address of a socket here
STATE, OWNER = "buildmatrix.state", "buildmatrix.owner"  # labels
# A container's two streams reach the log on two ways, and a compiler's error may stand before the
# line that calls it: the program gets one stream for both. Every image that is run has `sh`.
ONE_STREAM = ("sh", "-c", 'exec "$0" "$@" 2>&1')

MOST_PROCESSES = 8_192  # in one container: half of a machine's 32,768 are left to all else


class DockerEngine:
    """Implements protocols.Engine. Connects when it is made; close it when done."""

    def __init__(
        self,
        place: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        network: Mapping[str, str] | None = None,
        mirror: Callable[[], str] = str,
    ) -> None:
        """`place` says which engine (see `connect`); `labels` are put on every container; `network`
        are the variables by which images reach it that are made, from that Debian mirror."""
        self.labels = dict(labels or {})
        self._reach = Reach(network or {}, mirror)
        self._stopping = threading.Event()
        self._running: dict[str, Any] = {}  # containers that `run` made, by id
        self.client = connect(place or {})

    def close(self) -> None:
        self.client.close()

    @cached_property
    def _component(self) -> tuple[str, str]:
        """Its name and version, in its own words: Podman's Platform is the operating system."""
        answer = self.client.version()
        return str(answer["Components"][0]["Name"]), str(answer["Version"])

    def version(self) -> str:
        """The engine's name and version, for people."""
        name, version = self._component
        return f"{'Docker Engine' if name == 'Engine' else name} {version}"

    @cached_property
    def podman(self) -> Podman | None:
        """What is to be known of the engine if it is Podman; None: it is another one."""
        name, version = self._component
        if name != NAME:
            return None
        api = self.client.api
        answer = api.get(api.base_url + INFO)
        host = answer.json().get("host", {}) if answer.ok else {}  # an old one has no such answer
        return Podman(
            version,
            here=api.base_url == SOCKET,
            rootless=bool(host.get("security", {}).get("rootless")),
            controllers=frozenset(host.get("cgroupControllers") or ()),
        )

    def image_id(self, tag: str) -> str | None:
        try:
            return str(self.client.images.get(tag).id)
        except NotFound:
            return None

    def images(self, prefix: str) -> tuple[EngineImage, ...]:
        """The images whose tag begins so, without the registry that Podman puts before a tag."""
        found = {
            tag.removeprefix("localhost/").removeprefix("docker.io/"): image
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
        except NotFound:
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
        """Make an image of a root file system and give it the tag; the image's id.

        Tagged in a second step: Podman 4.3 drops the tag of an import, and calls it `latest`.
        """
        repository, _, version = tag.rpartition(":")
        before = self.image_id(tag)
        answer = self.client.api.import_image_from_file(str(tar))
        image = str(json.loads(answer.splitlines()[-1])["status"])
        self.client.api.tag(image, repository, version)
        self._drop(before, image)
        return image

    def save_image(self, tag: str) -> Iterator[bytes]:
        """An image with its tag, as `load_image` takes it on any machine."""
        pieces: Iterator[bytes] = self.client.api.get_image(tag)
        return pieces

    def load_image(self, pieces: Iterable[bytes]) -> None:
        """Take in an image that was saved. Raises BuildError with what the engine said."""
        load: Any = self.client.api.load_image  # it has no types
        for event in load(pieces):
            if "error" in event:
                raise BuildError(f"an image cannot be loaded: {event['error']}")

    def build_image(self, context: Path, tag: str, on_line: Callable[[str], None]) -> str:
        """Build the Dockerfile in `context`. Raises BuildError with what the step said."""
        before = self.image_id(tag)
        Making(self.client, tag, self._reach, self.labels, on_line).make(context)
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
        """Run to the end, lines as they are written; the container is removed whatever happens.

        Raises BuildError where the engine makes or starts none.
        """
        container = self._created(spec)
        self._running[container.id] = container
        try:
            self._go_on()  # `stop` may have looked before this one was there
            with in_words():  # Podman makes ready here what Docker does at the start
                attached = Output(self.client, container.id)
            with (
                contextlib.closing(attached) as output,
                deadline(container, spec.timeout_seconds) as expired,
            ):
                with in_words():
                    container.start()
                for line in output.lines():
                    on_line(line)
                container.wait()
            container.reload()
            self._go_on()
            return ended(
                container.attrs["State"],
                timed_out=expired.is_set(),
                tells_memory=self.podman is None or self.podman.tells_memory,
            )
        except (DockerException, requests.RequestException, BuildError):
            self._go_on()  # it was removed by `stop`
            raise
        finally:
            self._running.pop(container.id, None)
            remove(container)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Remove all containers that `run` follows in other threads."""
        self._stopping.set()
        for container in tuple(self._running.values()):
            with contextlib.suppress(APIError, requests.RequestException):
                remove(container)  # begun or not: one that is only killed might begin after it

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
            remove(container)

    def _created(self, spec: ContainerSpec, **more: Any) -> Any:
        api = self.client.api
        host = api.create_host_config(
            init=True,  # reaps, and lets an emulated program die of its signal
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,
            pids_limit=MOST_PROCESSES,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            binds=[
                f"{m.host.resolve()}:{m.container}:{'rw' if m.writable else 'ro'}"
                for m in spec.mounts
            ],
        )
        with in_words():
            if self.podman and self.podman.rootless:
                # Without it a user's own files are root's in there, and what is made there is
                # nobody's out here. The SDK knows no word for it.
                host["UsernsMode"] = "keep-id"
            made = api.create_container(
                spec.image,
                [*ONE_STREAM, *spec.argv],
                environment=dict(spec.environment),
                labels={**self.labels, **spec.labels},
                host_config=host,
                # Docker's client puts the proxies of ~/.docker/config.json, and the passwords in
                # them, into every container otherwise.
                use_config_proxy=False,
                user=spec.user,
                volumes=[m.container for m in spec.mounts],
                working_dir=spec.workdir,
                **more,
            )
            return self.client.containers.get(made["Id"])

    def owners(self, state: str) -> frozenset[str]:
        """Who made what is there for a state folder: containers, running or not, and images that
        are there only while another one is made."""
        labels = [there.attrs["Labels"] for there in self._with(STATE, state)]
        marked = self.client.api.images(filters={"label": f"{STATE}={state}"})
        labels += [image.get("Labels") or {} for image in marked]
        return frozenset(one[OWNER] for one in labels if OWNER in one)

    def remove_stale(self, label: str, value: str) -> int:
        stale = self._with(label, value)
        for container in stale:
            remove(container)
        remove_images(self.client, label, value)
        return len(stale)

    def _with(self, label: str, value: str) -> list[Any]:
        """The containers that have a label, running or not, as the engine lists them.

        Sparse: the SDK asks for each one by itself otherwise, and fails where one has gone since.
        """
        return list(
            self.client.containers.list(
                all=True, filters={"label": f"{label}={value}"}, sparse=True
            )
        )
