"""Which container engine is meant: DOCKER_HOST in all its forms, Docker's contexts, or the usual
place. As the `docker` command chooses, and why one does not answer, in words."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.context import ContextAPI
from docker.errors import DockerException, TLSParameterError
from docker.utils import kwargs_from_env, parse_host

from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker.tls import TLSConfig

USUAL = "unix:///var/run/docker.sock"
FORMS = "unix:///run/podman/podman.sock, tcp://127.0.0.1:2375 or ssh://user@machine"
LONGEST = 600  # seconds that a request may take: an import of an image of some GiB


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is, and who says so: a variable, a context, or nobody."""

    url: str
    origin: str
    tls: TLSConfig | bool | None = None


def chosen(place: Mapping[str, str]) -> Address:
    """The engine that is meant: DOCKER_HOST's, else a context's, else the usual socket's.

    Raises BuildmatrixError for a context that is not there, and for papers of TLS that are not.
    """
    host, name = place.get("DOCKER_HOST"), place.get("DOCKER_CONTEXT")
    tls = _papers(place)
    if host:
        return Address(host, f"DOCKER_HOST={host}", tls)
    try:
        context = ContextAPI.get_context(name)
    except Exception:  # noqa: BLE001 # the SDK raises a bare one for a file that it cannot read
        context = None
    if context is None:
        raise BuildmatrixError(
            f"there is no Docker context {name or 'of the name in ~/.docker/config.json'}",
            hint="choose one of `docker context ls`, or set DOCKER_HOST",
        )
    if context.Name == "default":
        return Address(USUAL, "DOCKER_HOST is not set", tls)
    return Address(context.Host or USUAL, f"Docker's context {context.Name}", context.TLSConfig)


def _papers(place: Mapping[str, str]) -> TLSConfig | None:
    """By what one shows who one is, and knows the engine: as `docker` reads both variables."""
    try:
        given = kwargs_from_env({"": "", **place})  # of an empty mapping it asks the process
    except TLSParameterError:
        folder = Path(place.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        lacks = [n for n in ("ca.pem", "cert.pem", "key.pem") if not (folder / n).is_file()]
        raise BuildmatrixError(
            f"an engine is to be reached by TLS, and {', '.join(lacks)} is missing",
            where=str(folder),
            hint="set DOCKER_CERT_PATH to the folder that has it, or unset DOCKER_TLS_VERIFY",
        ) from None
    return given.get("tls")


class _Api(docker.APIClient):
    """Requests has REQUESTS_CA_BUNDLE go before the CA that a session has of its own."""

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)


class _Client(docker.DockerClient):
    def __init__(self, **settings: Any) -> None:
        self.api = _Api(**settings)


def connect(place: Mapping[str, str]) -> docker.DockerClient:
    """A client of the engine that answers. Raises BuildmatrixError, with the reason.

    `place` has DOCKER_HOST, DOCKER_CONTEXT, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH and
    XDG_RUNTIME_DIR, as far as they are set.
    """
    address = chosen(place)
    base = _base(address)
    try:
        client = _Client(
            base_url=base, tls=address.tls or False, timeout=LONGEST, use_ssh_client=True
        )
        client.ping()
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise _silent(address, error, place.get("XDG_RUNTIME_DIR", "")) from None
    return client


def _base(address: Address) -> str:
    """The address as the SDK takes it. Raises BuildmatrixError where it is none."""
    try:
        parse_host(address.url)
    except (DockerException, ValueError):
        raise _no_address(address) from None
    machine = re.fullmatch(r"ssh://((?:\w[\w.-]*@)?\w[\w.-]*)(?::\d+)?", address.url)
    if address.url.startswith("ssh:") and machine is None:
        raise _no_address(address)
    if address.url.startswith(("npipe:", "fd:")):
        raise _no_address(address)
    if machine and f"ssh://{machine[1]}" == address.url:
        return f"{address.url}:{_port(machine[1])}"
    return address.url


def _port(machine: str) -> str:
    """The port that ssh's configuration gives a machine: the SDK would take 22."""
    try:
        asked = subprocess.run(
            ["ssh", "-G", "--", machine], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return "22"
    return next((line[5:] for line in asked.stdout.splitlines() if line.startswith("port ")), "22")


def _no_address(address: Address) -> BuildmatrixError:
    return BuildmatrixError(
        f"{address.origin}: that is no address of a container engine", hint=f"write it as {FORMS}"
    )


def _silent(address: Address, error: BaseException, own: str) -> BuildmatrixError:
    causes = list(_causes(error))
    reason = next((one for one in causes if isinstance(one, OSError) and one.strerror), error)
    return BuildmatrixError(
        f"no container engine answers at {address.url} ({address.origin})",
        details=getattr(reason, "strerror", None) or str(causes[-1]),
        hint=_hint(address, reason, own),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of: the SDK wraps three layers' own."""
    yield error
    for one in (error.__cause__, *error.args):
        if isinstance(one, BaseException):
            yield from _causes(one)


def _hint(address: Address, reason: BaseException, own: str) -> str:
    """What to do next; `own` is the folder of the user's own sockets."""
    scheme, _, rest = address.url.partition("://")
    if scheme == "ssh":
        return f"see that `ssh {rest.partition(':')[0]} docker version` answers without asking"
    if scheme in ("tcp", "http", "https"):
        return "see that an engine listens there; only one of your own machine's should, or by TLS"
    if isinstance(reason, PermissionError):
        return "as root: `usermod -aG docker USER`, and log in again; or use a Podman of your own"
    for socket in (Path(own, "podman/podman.sock"), Path(own, "docker.sock")):
        if own and socket.exists() and str(socket) not in address.url:
            return f"set DOCKER_HOST=unix://{socket}"
    if "podman" in address.url:
        return "start it: `systemctl --user start podman.socket`, or as root without `--user`"
    return "apt-get install docker.io, then start `dockerd` as root; or set DOCKER_HOST"
