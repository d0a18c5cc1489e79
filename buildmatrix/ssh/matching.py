"""Whether a Host or Match line of ssh_config means the host that is looked for, as ssh judges."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.ssh.words import listed, replaced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 20.0  # for one command of Match exec
_CRITERION = re.compile(r'\s*(!?)([^\s"=]*)\s*=?\s*(?:"([^"]*)"|([^\s"]*))')
_ALONE = frozenset({"all", "canonical", "final"})
_ARGUED = frozenset({"exec", "host", "localuser", "originalhost", "user"})
# What these ask of is ssh itself, or this machine's network: nobody else's to judge.
_SSHS_OWN = frozenset({"command", "localnetwork", "sessiontype", "tagged", "version"})


@dataclass(frozen=True, slots=True)
class Sought:
    """The host that is looked for: as typed, as it is called in this pass, and what is known."""

    typed: str
    name: str  # in the final pass, what HostName made of it
    values: Mapping[str, str | list[str]]
    final: bool

    def value(self, key: str, default: str) -> str:
        """One that was set by now, or given."""
        value = self.values.get(key, default)
        return value if isinstance(value, str) else value[0]

    @property
    def hostname(self) -> str:
        """Where ssh would connect, by what was read so far. Raises ValueError for another token
        than %h."""
        return replaced(self.value("hostname", "%h"), {"h": self.typed}).lower()

    @property
    def user(self) -> str:
        return self.value("user", "") or getpass.getuser()


def host_line(patterns: Sequence[str], sought: Sought) -> bool:
    """Whether one of the patterns is the host's name, and none that begins with ! is."""
    return listed(",".join(patterns), sought.name)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One word of a Match line, in small letters, and its argument: empty where it has none."""

    word: str
    argument: str
    negated: bool


def criteria(text: str) -> tuple[Criterion, ...]:
    """The criteria of a Match line. Raises ValueError for one that ssh would refuse.

    >>> [each.word for each in criteria('!host "a,b" final # one board')]
    ['host', 'final']
    """
    read: list[Criterion] = []
    line, place = text.strip(), 0
    while place < len(line) and line[place] != "#":
        matched = _CRITERION.match(line, place)
        assert matched is not None
        word = matched[2].lower()
        if word in _ALONE:
            argument, place = "", matched.end(2)
        else:
            argument, place = matched[3] or matched[4] or "", matched.end()
            if word not in _ARGUED | _SSHS_OWN:
                raise ValueError(f"Match {text}: no criterion of ssh is called '{word}'")
            if not argument or argument.startswith("#"):
                raise ValueError(f"Match {text}: what follows '{word}' is missing")
        read.append(Criterion(word, argument, bool(matched[1])))
        while line[place : place + 1].isspace():
            place += 1
    words = {each.word for each in read}
    if not read or ("all" in words and not words <= _ALONE):
        raise ValueError(f"Match {text}: {'all stands alone' if read else 'nothing to match'}")
    return tuple(read)


def match_line(line: Sequence[Criterion], sought: Sought) -> bool:
    """Whether all criteria of a Match line hold.

    Raises ValueError for one that cannot be judged here although all before it hold.
    """
    return all(_holds(each, sought) != each.negated for each in line)


def _holds(criterion: Criterion, sought: Sought) -> bool:
    word, argument = criterion.word, criterion.argument
    if word in _ALONE:
        return word == "all" or sought.final
    if word == "host":
        return listed(argument.lower(), sought.hostname)
    if word == "originalhost":
        return listed(argument.lower(), sought.typed.lower())
    if word == "user":
        return listed(argument, sought.user)
    if word == "localuser":
        return listed(argument, getpass.getuser())
    if word == "exec":
        return _ends_well(argument, sought)
    raise ValueError(
        f"Match {word} {argument}: '{word}' is judged only where OpenSSH's client is installed"
    )


def _ends_well(command: str, sought: Sought) -> bool:
    """Whether a command of Match exec ends with 0, in the shell that ssh would take."""
    tokens = {
        "d": str(Path.home()),
        "h": sought.hostname,
        "n": sought.typed,
        "p": sought.value("port", "22"),
        "r": sought.user,
        "u": getpass.getuser(),
    }
    shell = os.environ.get("SHELL") or "/bin/sh"  # noqa: TID251 - as ssh does
    try:
        ended = subprocess.run(
            [shell, "-c", replaced(command, tokens)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"Match exec {command}: it took more than {SECONDS:.0f} s") from None
    return ended.returncode == 0
