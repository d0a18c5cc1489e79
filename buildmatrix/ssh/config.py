"""Where a board is: what was given, then OpenSSH's client configuration, then our defaults.

`ssh -G` says what the configuration means (see `dump`). Where OpenSSH's client is not installed,
our own reader takes its place, and what only ssh can judge is refused by name (see `own`).
"""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from buildmatrix.errors import DeviceError
from buildmatrix.ssh import dump, own
from buildmatrix.ssh.words import replaced

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.nouns import BoardAddress
    from buildmatrix.ssh.dump import Values

BOARD_USER = "pi"
DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")  # in ~/.ssh
# A name from matrix.yaml may end in a command of `Match exec`: what ssh refuses (CVE-2023-51385).
UNSAFE = re.compile(r"""^-|[\s'"`$\\;&<>|(){}\x00-\x1f\x7f]|^$""")


@dataclass(frozen=True, slots=True)
class Hop:
    """One log-in on the way to a board; nothing is left open."""

    name: str  # what people call it
    given: str  # as --host takes it: host, user@host, host:port
    host: str
    port: int
    user: str
    host_key: str  # "SHA256:…"; empty means that known_hosts decides
    identity_files: tuple[Path, ...]  # private keys in this order; some may not exist
    identities_only: bool  # of the agent's keys, only these
    known_hosts: tuple[Path, ...]
    via: str = ""  # the address of the hop before
    alias: str = ""  # HostKeyAlias: the name in known_hosts
    agent: str | None = None  # IdentityAgent: a socket, or "none"; None: SSH_AUTH_SOCK
    certificates: tuple[Path, ...] = ()
    family: Literal["any", "inet", "inet6"] = "any"
    patience: float | None = None  # ConnectTimeout, seconds
    packs: bool = True  # unless Compression no is written
    jump: bool = True  # only passed through

    @property
    def address(self) -> str:
        return join_address(self.host, self.port)

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
        return join_address(self.host, self.port)


@dataclass(frozen=True, slots=True)
class _Settings:
    config: Path | None
    known_hosts: Path | None
    pins: Mapping[str, str]


def route(
    board: BoardAddress,
    *,
    config: Path | None = None,
    known_hosts: Path | None = None,
    pins: Mapping[str, str] | None = None,
) -> tuple[Hop, ...]:
    """The log-ins that lead to a board: its jump hosts in order, then itself.

    `pins` are host keys by address, host:port. Raises DeviceError for a configuration that
    cannot be used, and for an identity_file that is missing.
    """
    given = _Destination(board.host, board.port, board.user)
    try:
        settings = _Settings(None if board.virtual else config, known_hosts, pins or {})
        *jumps, last = _way(given, settings, None, ())
        jumps = [replace(hop, user=hop.user or getpass.getuser()) for hop in jumps]
        identity = Path(board.identity_file).expanduser() if board.identity_file else None
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise DeviceError(
            f"the way to {given} cannot be told from the ssh configuration: {error}",
            where=str(config),
            hint=f"correct it; `ssh -G {given.host}` tells what ssh makes of it",
        ) from error
    last = replace(
        last,
        name=board.name,
        user=last.user or BOARD_USER,
        host_key=board.host_key or last.host_key,
        via=jumps[-1].address if jumps else "",
        jump=False,
    )
    if identity is not None:
        last = replace(last, identity_files=(_there(identity, board),), identities_only=True)
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
    values = _lookup(to, settings.config, jump=bool(seen))
    _refuse(values)
    if jumps is None:
        jumps = _jumps(values)
    before: tuple[Hop, ...] = ()
    if jumps:
        *earlier, last = jumps
        before = _way(last, settings, tuple(earlier) or None, (*seen, str(to)))
    return (*before, _hop(to, values, settings))


def _lookup(to: _Destination, config: Path | None, *, jump: bool) -> Values:
    if UNSAFE.search(to.host) or (to.user and UNSAFE.search(to.user)):
        raise ValueError(f"{to.user}@{to.host} has characters that no host or user has")
    given: dict[str, str | int] = {"User": to.user, "Port": to.port}
    written = {key: value for key, value in given.items() if value}
    if config is not None and (program := dump.installed()):
        return dump.dump(program, to.host, written, config, jump=jump)
    return own.lookup(to.host, written, config)


def _refuse(values: Values) -> None:
    """Raise ValueError for what is not honoured here and decides who is reached or trusted."""
    for word in ("bindaddress", "bindinterface"):
        if str(values.get(word) or "none").lower() != "none":
            raise ValueError(f"{word} {values[word]} is not used here; leave it out for this board")
    if (command := _one(values, "knownhostscommand", "none")).lower() != "none":
        raise ValueError(
            f"KnownHostsCommand {command} is not run here, so a key that it knows or takes back "
            "would not count; write `KnownHostsCommand none` for this board before it"
        )
    if (revoked := _one(values, "revokedhostkeys", "none")).lower() != "none":
        raise ValueError(
            f"RevokedHostKeys {revoked} is not read here, so a key that it takes back would count; "
            "write `RevokedHostKeys none` for this board before it"
        )


def _jumps(values: Values) -> tuple[_Destination, ...]:
    text = _one(values, "proxyjump", "none")
    if text.lower() != "none":
        return tuple(_destination(part.strip()) for part in text.split(","))
    if _one(values, "proxycommand", "none") != "none" and "proxyjump" not in values:
        raise ValueError(f"ProxyCommand {values['proxycommand']} is not used here; write ProxyJump")
    return ()


def _destination(text: str) -> _Destination:
    """[user@]host[:port], also as ssh://…"""
    user, _, rest = text.removeprefix("ssh://").removesuffix("/").rpartition("@")
    matched = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?", rest)
    if matched is None:
        raise ValueError(f"'{text}' is no jump host: write user@host:port")
    port = _port(matched[3]) if matched[3] else 0
    return _Destination(matched[1] or matched[2], port, user)


def _hop(to: _Destination, values: Values, settings: _Settings) -> Hop:
    host, port = _one(values, "hostname", to.host), _port(_one(values, "port", "22"))
    user = to.user or _one(values, "user", "")
    tokens = {"%": "%", "h": host, "n": to.host, "p": str(port), "r": user or BOARD_USER}
    tokens |= {
        "d": str(Path.home()),
        "u": getpass.getuser(),
        "k": _one(values, "hostkeyalias", host),
    }

    def paths(names: Iterable[str]) -> tuple[Path, ...]:
        return tuple(_path(name, tokens) for name in names if name.lower() != "none")

    defaults = [f"~/.ssh/{name}" for name in DEFAULT_KEYS]
    known = _names(values, "userknownhostsfile")
    if "userknownhostsfile" not in values and settings.known_hosts is not None:
        known = [str(settings.known_hosts).replace("%", "%%")]
    agent = _one(values, "identityagent", "SSH_AUTH_SOCK")
    patience = _one(values, "connecttimeout", "none")
    family = _one(values, "addressfamily", "any").lower()
    return Hop(
        name=str(to),
        given=f"{to.user}@{to}" if to.user else str(to),
        host=host,
        port=port,
        user=user,
        host_key=settings.pins.get(join_address(host, port), ""),
        identity_files=paths(_many(values, "identityfile", defaults)),
        identities_only=_one(values, "identitiesonly", "no").lower() in ("yes", "true"),
        known_hosts=paths([*known, *_names(values, "globalknownhostsfile")]),
        alias=_one(values, "hostkeyalias", ""),
        agent=_agent(agent, tokens),
        certificates=paths(_many(values, "certificatefile", [])),
        family=family if family in ("inet", "inet6") else "any",  # type: ignore[arg-type]
        patience=float(patience) if patience.isdecimal() else None,
        packs=_one(values, "compression", "yes").lower() != "no",
    )


def join_address(host: str, port: int) -> str:
    """
    >>> join_address("::1", 22), join_address("pi", 2022), join_address("pi", 0)
    ('[::1]:22', 'pi:2022', 'pi')
    """
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _agent(text: str, tokens: Mapping[str, str]) -> str | None:
    """A socket, "none", or None for the one of SSH_AUTH_SOCK."""
    if text in ("SSH_AUTH_SOCK", "$SSH_AUTH_SOCK", "${SSH_AUTH_SOCK}"):
        return None
    if text.startswith("$") and not text.startswith("${"):
        return variable(text[1:]) or "none"
    return "none" if text.lower() == "none" else str(_path(text, tokens))


def _path(text: str, tokens: Mapping[str, str]) -> Path:
    """With its tokens and ${NAME} replaced. Raises ValueError naming one that is not known here."""

    def expanded(match: re.Match[str]) -> str:
        value = variable(match[1])
        if value is None:
            raise ValueError(f"{match[0]} in {text} is not set")
        return value

    return Path(re.sub(r"\$\{(\w+)\}", expanded, replaced(text, tokens))).expanduser()


def variable(name: str) -> str | None:
    """A variable that the ssh configuration itself names."""
    return os.environ.get(name)  # noqa: TID251 - as ssh does


def _names(values: Values, key: str) -> list[str]:
    """Files of one line: `ssh -G` leaves the quotes out, so what is a file as a whole is one."""
    value = values.get(key, [])
    if isinstance(value, list):
        return value
    return [value] if " " in value and Path(value).expanduser().is_file() else value.split()


def _one(values: Values, key: str, default: str) -> str:
    value = values.get(key, default)
    return value if isinstance(value, str) else value[0]


def _many(values: Values, key: str, default: list[str]) -> list[str]:
    value = values.get(key, default)
    return [value] if isinstance(value, str) else value


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"'{text}' is no port")
    return int(text)


def _there(path: Path, board: BoardAddress) -> Path:
    if not path.is_file():
        raise DeviceError(
            f"the private key for {board.name} is missing",
            where=str(path),
            hint="correct identity_file, or leave it out to use ssh-agent and the default keys",
        )
    return path
