"""Where a board is: what was given, then OpenSSH's client configuration, then our defaults.

paramiko.SSHConfig reads the configuration (ssh_config(5)); it does not know `Include`.
"""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import paramiko

from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.nouns import BoardAddress

BOARD_USER = "pi"
DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")  # in ~/.ssh
# A name from matrix.yaml may end in a command of `Match exec`: what ssh refuses (CVE-2023-51385).
UNSAFE = re.compile(r"""^-|[\s'"`$\\;&<>|(){}\x00-\x1f\x7f]|^$""")


@dataclass(frozen=True, slots=True)
class Hop:
    """One log-in on the way to a board; nothing is left open."""

    name: str  # what people call it
    given: str  # as --host takes it: host or host:port
    host: str
    port: int
    user: str
    host_key: str  # "SHA256:…"; empty means that known_hosts decides
    identity_files: tuple[Path, ...]  # private keys in this order; some may not exist
    identities_only: bool  # of the agent's keys, only these
    known_hosts: tuple[Path, ...]
    via: str = ""  # the address of the hop before
    jump: bool = True  # only passed through

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def where(self) -> str:
        if self.jump:
            return f"jump host {self.address}"
        return f"{self.address} via {self.via}" if self.via else self.address


@dataclass(frozen=True, slots=True)
class _Destination:
    host: str
    port: int = 0  # 0 and "": not given
    user: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class _Settings:
    config: str
    known_hosts: Path | None
    pins: Mapping[str, str]


def route(
    target: BoardAddress,
    *,
    config: Path | None = None,
    known_hosts: Path | None = None,
    pins: Mapping[str, str] | None = None,
) -> tuple[Hop, ...]:
    """The log-ins that lead to a board: its jump hosts in order, then itself.

    `pins` are host keys by address, host:port. Raises DeviceError for a configuration that
    cannot be used, and for an identity_file that is missing.
    """
    given = _Destination(target.host, target.port, target.user)
    try:
        ours = config is None or target.virtual or not config.is_file()
        text = "" if ours or config is None else config.read_text("utf-8", "surrogateescape")
        *jumps, last = _way(given, _Settings(text, known_hosts, pins or {}), None, ())
        jumps = [replace(hop, user=hop.user or getpass.getuser()) for hop in jumps]
        identity = Path(target.identity_file).expanduser() if target.identity_file else None
    except (paramiko.SSHException, ValueError, KeyError, OSError, RuntimeError) as error:
        raise DeviceError(
            f"the way to {given} cannot be told from the ssh configuration: {error}",
            where=str(config),
            hint=f"correct it; `ssh -G {given.host}` tells what ssh makes of it",
        ) from error
    last = replace(
        last,
        name=target.name,
        user=last.user or BOARD_USER,
        host_key=target.host_key or last.host_key,
        via=jumps[-1].address if jumps else "",
        jump=False,
    )
    if identity is not None:
        last = replace(last, identity_files=(_there(identity, target),), identities_only=True)
    return (*jumps, last)


def _way(
    to: _Destination,
    settings: _Settings,
    jumps: tuple[_Destination, ...] | None,
    seen: tuple[str, ...],
) -> tuple[Hop, ...]:
    """As ssh does it: a written chain is taken as it is, but its first host may have its own."""
    if str(to) in seen:
        raise ValueError(f"ProxyJump leads back to {to}; add `ProxyJump none` for it")
    found = _lookup(to, settings.config)
    if jumps is None:
        jumps = _jumps(found)
    before: tuple[Hop, ...] = ()
    if jumps:
        *earlier, last = jumps
        before = _way(last, settings, tuple(earlier) or None, (*seen, str(to)))
    return (*before, _hop(to, found, settings))


def _lookup(to: _Destination, config: str) -> paramiko.SSHConfigDict:
    if UNSAFE.search(to.host) or (to.user and UNSAFE.search(to.user)):
        raise ValueError(f"{to.user}@{to.host} has characters that no host or user has")
    read = paramiko.SSHConfig()
    # The first value found counts, so what was given stands first, as for `ssh -l` and `-p`.
    given = {"User": to.user, "Port": to.port}
    read.parse(f"{key} {value}" for key, value in given.items() if value)
    read.parse(config.splitlines())
    return read.lookup(to.host)


def _jumps(found: paramiko.SSHConfigDict) -> tuple[_Destination, ...]:
    text = found.get("proxyjump", "none")
    if text.lower() != "none":
        return tuple(_destination(part.strip()) for part in text.split(","))
    if found.get("proxycommand") and "proxyjump" not in found:
        raise ValueError(f"ProxyCommand {found['proxycommand']} is not used here; write ProxyJump")
    return ()


def _destination(text: str) -> _Destination:
    """[user@]host[:port], also as ssh://…"""
    user, _, rest = text.removeprefix("ssh://").removesuffix("/").rpartition("@")
    matched = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?", rest)
    if matched is None:
        raise ValueError(f"'{text}' is no jump host: write user@host:port")
    port = _port(matched[3]) if matched[3] else 0
    return _Destination(matched[1] or matched[2], port, user)


def _hop(to: _Destination, found: paramiko.SSHConfigDict, settings: _Settings) -> Hop:
    host, port = found["hostname"], _port(found.get("port", "22"))
    files = cast("list[str] | None", found.get("identityfile"))
    if files is None:
        files = [f"~/.ssh/{name}" for name in DEFAULT_KEYS]
    known = found.get("userknownhostsfile", str(settings.known_hosts or "none")).split()
    return Hop(
        name=str(to),
        given=str(to),
        host=host,
        port=port,
        user=to.user or found.get("user", ""),
        host_key=settings.pins.get(f"{host}:{port}", ""),
        identity_files=tuple(Path(f).expanduser() for f in files if f.lower() != "none"),
        identities_only=found.get("identitiesonly", "no").lower() in ("yes", "true"),
        known_hosts=tuple(Path(f).expanduser() for f in known if f.lower() != "none"),
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"'{text}' is no port")
    return int(text)


def _there(path: Path, target: BoardAddress) -> Path:
    if not path.is_file():
        raise DeviceError(
            f"the private key for {target.name} is missing",
            where=str(path),
            hint="correct identity_file, or leave it out to use ssh-agent and the default keys",
        )
    return path
