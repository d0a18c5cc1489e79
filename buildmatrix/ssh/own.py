"""Our own reader of OpenSSH's client configuration, where `ssh` itself is not installed.

It reads what decides who is reached and how one logs in, as ssh reads it. What only ssh can judge
is refused by name: passed over, it would match every host, or none, in silence.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.ssh import keywords
from buildmatrix.ssh.matching import Sought, criteria, host_line, match_line
from buildmatrix.ssh.words import keyword, listed, seconds, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.ssh.dump import Values

GLOBAL = Path("/etc/ssh/ssh_config")
DEEPEST = 16  # of Include, as in ssh
PROXIES = {"proxycommand", "proxyjump"}  # of the two, the one that stands first counts
LONGEST = 1 << 20  # bytes of one file
# Where ssh looks when nothing is written.
GLOBAL_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))


def lookup(host: str, given: Mapping[str, str | int], config: Path | None) -> Values:
    """The settings for `host`; what was given stands first, as on a command line.

    Raises ValueError for what ssh refuses, and for what cannot be judged here.
    """
    reader = _Reader(host, {key.lower(): str(value) for key, value in given.items()})
    for final in (False, True):
        if final:
            if not reader.finals:
                break
            if True not in reader.finals:
                raise ValueError(
                    "Match !final: OpenSSH before 10.6 reads all files again for it, 10.6 does not"
                )
            reader.hostname()
            reader.final = True
        for file, home in ((config, "~/.ssh"), (GLOBAL, str(GLOBAL.parent))):
            if config is not None and file is not None and file.is_file():
                reader.home = home
                reader.read(file, active=True, depth=0)
    if reader.values.get("canonicalizehostname", "no") not in ("no", "false"):
        raise ValueError(
            "canonicalizehostname and canonicaldomains are read only where OpenSSH's client is "
            "installed; write HostName"
        )
    reader.hostname()
    there = [str(path) for path in GLOBAL_KNOWN_HOSTS if path.is_file()]
    reader.values.setdefault("globalknownhostsfile", there)
    return reader.values


class _Placed(ValueError):
    """What is wrong, with the file and the line that are to be corrected."""


@dataclass(slots=True)
class _Reader:
    """One look through all files; what is set first stays."""

    host: str
    values: Values
    finals: set[bool] = field(default_factory=set)  # True: Match final was seen; False: !final
    final: bool = False  # this is the second pass
    home: str = "~/.ssh"  # of relative names after Include
    ignored: list[str] = field(default_factory=list)  # IgnoreUnknown

    @property
    def sought(self) -> Sought:
        name = str(self.values.get("hostname", self.host)) if self.final else self.host
        return Sought(self.host, name, self.values, self.final)

    def hostname(self) -> None:
        """Fix what HostName means."""
        self.values["hostname"] = self.sought.hostname

    def read(self, file: Path, *, active: bool, depth: int) -> None:
        """Take what holds for the host; `active` is whether the lines before the first block do."""
        if depth > DEEPEST:
            raise ValueError(f"{file}: more than {DEEPEST} Includes within another")
        text = file.read_bytes()[: LONGEST + 1]
        if len(text) > LONGEST:
            raise ValueError(f"{file}: larger than {LONGEST} bytes")
        within = active
        for number, line in enumerate(text.decode("utf-8", "surrogateescape").split("\n"), 1):
            name, rest = keyword(line)
            if not name:
                continue
            try:
                within = self._line(name, rest, (active, within), depth)
            except _Placed:
                raise
            except ValueError as error:
                raise _Placed(f"{file}, line {number}: {error}") from None

    def _line(self, name: str, rest: str, states: tuple[bool, bool], depth: int) -> bool:
        """Whether the block that this line stands in, or begins, holds for the host."""
        outer, within = states
        if name == "ignoreunknown":
            self.ignored += split(rest)
            return within
        if name not in keywords.known():
            if any(listed(patterns.lower(), name) for patterns in self.ignored):
                return within
            raise ValueError(f"{name} is no keyword of ssh")
        if not rest:
            raise ValueError(f"nothing follows {name}")
        if name == "match":
            line = criteria(rest)
            self.finals |= {not each.negated for each in line if each.word == "final"}
            return match_line(line, self.sought) and outer
        words = [rest] if name in keywords.RAW else split(rest)
        if name == "host":
            return outer and host_line(words, self.sought)
        if name == "include":
            for word in words:
                self._include(word, active=within, depth=depth)
            return within
        if name in keywords.SINGLE | keywords.SEVERAL and len(words) != 1:
            raise ValueError(f"{name} takes one value, and not {rest}")
        values = [_value(name, word) for word in words]
        if within and name == "refuseconnection":
            raise ValueError(f"RefuseConnection: {values[0]}")
        if within and values:
            self._set(name, values)
        return within

    def _include(self, word: str, *, active: bool, depth: int) -> None:
        if "%" in word or "${" in word:  # taken by OpenSSH from 10 on
            raise ValueError(f"Include {word}: read only where OpenSSH's client is installed")
        path = Path(self.home, word) if not word.startswith("~") else Path(word)
        # Not Path.glob: for it ** means all folders below, for ssh no more than *.
        for name in sorted(glob.glob(str(path.expanduser()))):  # noqa: PTH207
            if Path(name).is_file():
                self.read(Path(name), active=active, depth=depth + 1)

    def _set(self, name: str, words: list[str]) -> None:
        if name in keywords.SEVERAL:
            before = self.values.get(name, [])
            assert isinstance(before, list)
            if len(before) >= keywords.MOST:
                raise ValueError(f"{name}: ssh takes {keywords.MOST} and no more")
            self.values[name] = before + [word for word in words if word not in before]
        elif name in PROXIES:
            if not PROXIES & self.values.keys():
                self.values[name] = words[0]
        elif name in keywords.MANY:
            self.values.setdefault(name, words)
        elif name == "connecttimeout" and words == ["none"]:
            return  # for ssh that is as good as nothing: a later line still counts
        else:
            self.values.setdefault(name, words[0])


def _value(name: str, word: str) -> str:
    """As `ssh -G` would print it. Raises ValueError for what that refuses."""
    if name == "connecttimeout" and word.lower() != "none":
        return f"{seconds(word):.0f}"
    if name == "addressfamily" and word.lower() not in ("any", "inet", "inet6"):
        raise ValueError(f"AddressFamily {word} is none")
    if name == "compression" and word.lower() not in ("yes", "no"):
        raise ValueError(f"Compression {word} is neither yes nor no")
    if name == "user" and ("%" in word or "${" in word):
        raise ValueError(f"User {word}: OpenSSH takes it as it is, and from 10 on expands it")
    return word
