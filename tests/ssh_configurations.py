"""Generated ssh configurations, and what OpenSSH's client itself says each of them means."""

from __future__ import annotations

import getpass
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.ssh.config import BOARD_USER, DEFAULT_KEYS
from buildmatrix.ssh.dump import COMMAND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.ssh.config import Hop

HOST = "board"
USUAL = ("/etc/ssh/", "~/.ssh/", f"{Path.home()}/.ssh/")  # where known hosts are by themselves
# Else one that jumps to itself is a loop, which ssh finds as late as on the way.
FIRST = ("Host jump* other", "ProxyJump none", "Host *")
DEFAULT_FILE = re.compile(r"(~|/.*)/\.ssh/id_(rsa|dsa|xmss|ecdsa|ed25519|mldsa44_ed25519)(_sk)?")
LAST = ("Match all", "Compression yes")  # where nothing is written, ssh packs nothing and we do
CONDITIONS = (
    "Host board",
    "Host boar? # the old one",
    'Host "board" other',
    "Host !other *",
    "Host * !board",
    "Host nobody b*d",
    "HOST=BOARD",
    "Host 10.* *.example",
    "Match all",
    "match host board",
    "Match host=board",
    'Match host "board,other" # quoted',
    "Match originalhost other,board user root,somebody",
    "Match !host board",
    "Match host *,!10.*",
    f"Match localuser {getpass.getuser()}",
    "Match !localuser nobody user somebody",
    'Match exec "test %n = board"',
    'Match !exec "false" host *',
    "Match host nobody exec false",
    "Match canonical",
    "Match final",
    "Match !final host board",
    "Match final host 10.*",
    "Match final originalhost board exec true",
)
NEWER = (  # words that OpenSSH 9.2 does not have
    "Match tagged home",
    "Match !tagged home",
    'Match localnetwork "192.0.2.0/24"',
    "Match version OpenSSH_*",
    "Match sessiontype shell",
    "Match sessiontype exec",
    'Match command "reboot"',
    'Match command "exec sh*"',
    "Match host nobody version OpenSSH_*",
    "RefuseConnection not today",
    'RefuseConnection "not today"',
    "Tag home",
)
SETTINGS = (
    "HostName 10.0.0.{n}",
    'HostName "%h.example"',
    "hostname=10.0.0.{n} # a comment",
    "Port {n}022",
    "Port={n}023",
    'Port = "77"',
    'User "somebody"',
    "User some#body",
    "User me # not root",
    "HostKeyAlias alias",
    "AddressFamily inet",
    "AddressFamily  inet6",
    "ConnectTimeout 7",
    "ConnectTimeout 1m30s",
    "ConnectTimeout none",
    "IdentitiesOnly yes",
    "IdentitiesOnly No",
    "IdentityAgent none",
    "IdentityAgent /run/agent{n}",
    "IdentityAgent SSH_AUTH_SOCK",
    "IdentityFile /keys/{n}",
    'IdentityFile "/my keys/{n}" # spaced',
    "IdentityFile /my\\ keys/{n}",
    "IdentityFile none",
    "CertificateFile /c/{n}",
    "UserKnownHostsFile /known/a /known/b",
    'UserKnownHostsFile "/known/{n}"',
    "GlobalKnownHostsFile /known/all # every host",
    "ProxyJump jump{n}",
    "ProxyJump me@jump:{n}022,other",
    "ProxyJump none",
    "ProxyCommand nc %h %p # all of it",
    "ProxyCommand none",
    "BindAddress 10.9.9.9",
    "Compression yes",
    "Compression no",
    "Compression=NO",
    "SetEnv A=1 B=2",
    "ServerAliveInterval 15",
)
# What we refuse although ssh may take it, each by name.
OURS = ("ProxyCommand", "bindaddress", "is judged only where", "Match !final")
# As OpenSSH names a word that it is too old for.
TOO_OLD = ("option: tag", "option: refuseconnection", "Unsupported Match attribute")
FAULTS = ("Nonsense yes", "Port", 'User "open', "User a b", "Match", "AddressFamily inet7")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What decides who is reached and how one logs in."""

    host: str
    port: int
    user: str  # empty: nothing is written
    alias: str
    family: str
    patience: float | None
    agent: str
    only: bool
    packs: bool
    identities: tuple[str, ...]  # empty: the defaults
    certificates: tuple[str, ...]
    known: tuple[str, ...]
    jumps: str


def generated(seed: int, folder: Path) -> str:
    """The text of one configuration, whose Includes are written below `folder`."""
    draw = random.Random(seed)
    lines = [*FIRST, *_blocks(draw, draw.randint(1, 5))]
    for number in range(draw.choice((0, 0, 1, 2))):
        file = folder / f"more {number}"
        file.write_text("\n".join(_blocks(draw, 2)) + "\n")
        name = draw.choice((f'"{file}"', f'"{folder}/mor? {number}"', f"{folder}/none"))
        lines.insert(draw.randint(3, len(lines)), f"Include {name} # elsewhere")
    if draw.random() < 0.08:
        lines.insert(draw.randint(3, len(lines)), draw.choice(FAULTS))
    return "\n".join((*lines, *LAST)) + "\n"


def _blocks(draw: random.Random, count: int) -> list[str]:
    lines: list[str] = []
    for _ in range(count):
        if draw.random() < 0.9:
            lines.append(draw.choice(NEWER if draw.random() < 0.1 else CONDITIONS))
        for setting in draw.sample(SETTINGS, draw.randint(0, 5)):
            indent = draw.choice(("", "  ", "\t"))
            lines.append(indent + setting.replace("{n}", str(draw.randint(1, 9))))
        if draw.random() < 0.2:
            lines += ["", "# a comment", "\t"]
    return lines


def judged(program: str, config: Path, host: str = HOST) -> Meaning | str:
    """What `ssh -G` says of a session that runs a command, or why it refuses."""
    asked = [program, "-G", "-F", str(config), host, *COMMAND]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    if ended.returncode:
        return ended.stderr
    lines = [line.partition(" ")[::2] for line in ended.stdout.splitlines()]
    values = dict(reversed(lines))
    files = tuple(value for key, value in lines if key == "identityfile")
    patience = values.get("connecttimeout", "none")
    return Meaning(
        values["hostname"],
        int(values["port"]),
        values["user"],
        values.get("hostkeyalias", ""),
        values["addressfamily"],
        None if patience == "none" else float(patience),
        values.get("identityagent", "SSH_AUTH_SOCK"),
        values["identitiesonly"] == "yes",
        values["compression"] == "yes",
        () if all(DEFAULT_FILE.fullmatch(name) for name in files) else files,
        tuple(value for key, value in lines if key == "certificatefile"),
        tuple(values["userknownhostsfile"].split() + values["globalknownhostsfile"].split()),
        values.get("proxyjump", ""),
    )


def meant(hops: Sequence[Hop], known: Path) -> Meaning:
    """The same of the way that we would go; `known` is the file that was given beside."""
    *jumps, hop = hops
    names = tuple(path.name for path in hop.identity_files)
    return Meaning(
        hop.host,
        hop.port,
        hop.user,
        hop.alias,
        hop.family,
        hop.patience,
        hop.agent or "SSH_AUTH_SOCK",
        hop.identities_only,
        hop.packs,
        () if names == DEFAULT_KEYS else tuple(map(str, hop.identity_files)),
        tuple(map(str, hop.certificates)),
        tuple(str(path) for path in hop.known_hosts if path != known),
        ",".join(jump.given for jump in jumps),
    )


def alike(ours: Meaning, sshs: Meaning) -> list[str]:
    """In what they differ, beside our own defaults; nothing: in nothing."""
    default_user = ours.user == BOARD_USER and sshs.user == getpass.getuser()
    files = tuple(name for name in sshs.identities if name != "none")
    elsewhere = tuple(name for name in sshs.known if not name.startswith(USUAL))
    pairs = {
        "host": (ours.host, sshs.host),
        "port": (ours.port, sshs.port),
        "user": (ours.user, ours.user if default_user else sshs.user),
        "alias": (ours.alias, sshs.alias),
        "family": (ours.family, sshs.family),
        "patience": (ours.patience, sshs.patience),
        "agent": (ours.agent, sshs.agent),
        "only": (ours.only, sshs.only),
        "packs": (ours.packs, sshs.packs),
        "identities": (ours.identities, files),
        "certificates": (ours.certificates, sshs.certificates),
        "known": (tuple(n for n in ours.known if not n.startswith(USUAL)), elsewhere),
        "jumps": (",".join(_names(ours.jumps)), ",".join(_names(sshs.jumps))),
    }
    return [
        f"{key}: {one}, ssh says {other}" for key, (one, other) in pairs.items() if one != other
    ]


def _names(jumps: str) -> list[str]:
    """Hosts of a chain, without users and ports."""
    return [jump.rpartition("@")[2].partition(":")[0] for jump in jumps.split(",")]
