"""How a container ends: by its deadline, by an engine that does not start it, by being removed."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import APIError

from buildmatrix.container.podman import CATATONIT
from buildmatrix.errors import BuildError
from buildmatrix.protocols import ContainerExit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Words of an engine -> what to do.
REFUSALS = {"catatonit": CATATONIT}


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """What the engine says no with becomes ours: it is one work's failure, and others go on."""
    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        hints = (hint for sign, hint in REFUSALS.items() if sign in said)
        raise BuildError(
            "the container engine starts no container",
            details=said,
            hint=next(hints, "`inv doctor` says which engine it is; its own log has more"),
        ) from error


def remove(container: Any) -> None:
    """Kill and remove; somebody else may be at it."""
    try:
        container.remove(force=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # gone; its removal is under way
            raise


def ended(state: Mapping[str, Any], *, timed_out: bool, tells_memory: bool) -> ContainerExit:
    """How a container ended, out of the engine's words for its state; whether it ever tells of
    memory: Podman 4.3 does not, and there any kill counts as one for memory.

    OOMKilled alone does not do: Docker 20.10 and Podman 5.4 set it also where only a child was
    killed and the program went on well.
    """
    status = int(state["ExitCode"])
    killed = status != 0 and bool(state["OOMKilled"])
    killed = killed or (status == 137 and not tells_memory)
    return ContainerExit(status, out_of_memory=killed and not timed_out, timed_out=timed_out)


@contextlib.contextmanager
def deadline(container: Any, seconds: float) -> Iterator[threading.Event]:
    """Kill the container when its time is up, which sets the event, or when the body fails."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        with contextlib.suppress(APIError, requests.RequestException):  # it has just ended
            container.kill()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True  # an interrupt at any line must not leave the program waiting for it
    try:
        timer.start()
        yield expired
    except BaseException:
        expire()
        raise
    finally:
        timer.cancel()
