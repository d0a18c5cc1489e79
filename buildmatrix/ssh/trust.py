"""Whose host key is right: a pin, else known_hosts; a revoked key never is.

The format is sshd(8)'s, SSH_KNOWN_HOSTS FILE FORMAT. paramiko's own reader stops at a marker and
knows no patterns, so this one is ours; certificate authorities vouch for nothing here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.ssh.words import listed

if TYPE_CHECKING:
    import paramiko

    from buildmatrix.ssh.config import Hop

# Host key algorithms in the order of our taste; SHA-1 signatures (ssh-rsa) are not among them.
ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What known_hosts files say of one host: (key type, key)."""

    keys: tuple[tuple[str, bytes], ...] = ()
    revoked: frozenset[bytes] = frozenset()


def known(hop: Hop) -> HostKeys:
    """Read the hop's known_hosts files; one that is missing says nothing."""
    texts = []
    for path in hop.known_hosts:
        try:
            texts.append(path.read_text("utf-8", "replace"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DeviceError(
                f"known_hosts cannot be read: {error.strerror}",
                where=str(path),
                hint="see what it is and whose, then try again",
            ) from error
    name = hop.alias or (hop.host if hop.port == 22 else f"[{hop.host}]:{hop.port}")
    return read("\n".join(texts), name)


def read(text: str, name: str) -> HostKeys:
    """The entries for `name`, which is host or [host]:port. Lines that make no sense are passed
    over, as ssh does.

    >>> read("[pi]:2222,*.local ssh-ed25519 aGk= me", "pi3.local").keys
    (('ssh-ed25519', b'hi'),)
    """
    keys, revoked = [], set()
    for line in map(str.strip, text.split("\n")):  # for ssh nothing else ends a line
        marker, *fields = line.split() if line.startswith("@") else ["", *line.split()]
        if len(fields) < 3 or line.startswith("#") or not _means(fields[0], name.lower()):
            continue
        try:
            key = base64.b64decode(fields[2], validate=True)
        except ValueError:  # binascii.Error is one, and what is not ASCII raises another
            continue
        if marker == "@revoked":
            revoked.add(key)
        elif not marker:
            keys.append((fields[1], key))
    return HostKeys(tuple(keys), frozenset(revoked))


def _means(patterns: str, name: str) -> bool:
    """Whether one of them is the name, and none that begins with ! is."""
    if patterns.startswith("|1|"):  # hashed: salt and HMAC-SHA1 of the name, alone in its line
        try:
            salt, digest = (base64.b64decode(part) for part in patterns[3:].split("|"))
        except ValueError:
            return False
        return hmac.digest(salt, name.encode("utf-8", "replace"), hashlib.sha1) == digest
    return listed(patterns.lower(), name)


def preferred(what: HostKeys) -> list[str]:
    """Algorithms to offer, those of known keys first: else another key type looks like a change."""
    kinds = [kind for kind, _ in what.keys]
    return sorted(ALGORITHMS, key=lambda algorithm: key_type(algorithm) not in kinds)


def key_type(algorithm: str) -> str:
    return "ssh-rsa" if algorithm.startswith("rsa-") else algorithm


def verify(hop: Hop, what: HostKeys, offered: paramiko.PKey) -> None:
    """Raise DeviceError unless this is the host's key."""
    key, shown = offered.asbytes(), f"{offered.get_name()} {offered.fingerprint}"
    if key in what.revoked:
        raise DeviceError(
            f"the host key {shown} is revoked",
            where=hop.where,
            hint="known_hosts says so (@revoked): the host needs a new key before anybody logs in",
        )
    if hop.host_key:
        if hop.host_key != offered.fingerprint:
            raise _changed(hop, f"pinned is {hop.host_key}", offered)
    elif not what.keys:
        raise _unknown(hop, offered)
    elif all(key != old for _, old in what.keys):
        same_type = [entry for entry in what.keys if entry[0] == offered.get_name()]
        kind, old = (same_type or what.keys)[0]
        raise _changed(hop, f"known_hosts has {kind} {_fingerprint(old)}", offered)


def _fingerprint(key: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _changed(hop: Hop, before: str, offered: paramiko.PKey) -> DeviceError:
    return DeviceError(
        f"host key changed: {before}, offered now is {offered.get_name()} {offered.fingerprint}",
        where=hop.where,
        hint="find out why before you go on: a reinstalled machine, or another one at its "
        f"address; if it is right, pin it: `inv device trust --host {hop.given}`, or where "
        f'matrix.yaml pins the old one, host_key: "{offered.fingerprint}"',
    )


def _unknown(hop: Hop, offered: paramiko.PKey) -> DeviceError:
    kind = offered.get_name().removeprefix("ssh-").partition("-")[0]
    pin = f", or write under devices, {hop.name} in matrix.yaml: "
    pin += f'host_key: "{offered.fingerprint}"'
    return DeviceError(
        f"the host key of {hop.name} is not known: it offers "
        f"{offered.get_name()} {offered.fingerprint}",
        where=hop.where,
        hint=f"compare it with `ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub` on that machine, "
        f"then run `inv device trust --host {hop.given}`{'' if hop.jump else pin}",
    )
