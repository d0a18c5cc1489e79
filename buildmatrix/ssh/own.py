"""Our own reader of OpenSSH's client configuration, where `ssh` itself is not installed.

paramiko.SSHConfig does the reading. What it does not know, and what decides who is reached, is
refused by name: it would match every host, or none, in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import paramiko

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from buildmatrix.ssh.dump import Values

MATCHES = frozenset(
    {"all", "canonical", "final", "host", "originalhost", "user", "localuser", "exec"}
)


def lookup(host: str, given: Mapping[str, str | int], config: Path | None) -> Values:
    """The settings for `host`; what was given stands first, as on a command line.

    Raises ValueError for what cannot be read rightly here, and paramiko's SSHException.
    """
    lines: list[str] = []
    if config is not None and config.is_file():
        lines = list(_checked(config.read_text("utf-8", "surrogateescape").splitlines()))
    read = paramiko.SSHConfig()
    read.parse(f"{key} {value}" for key, value in given.items())
    read.parse(lines)
    values = cast("dict[str, str | list[str] | None]", dict(read.lookup(host)))
    return {key: value for key, value in values.items() if value is not None}


def _checked(lines: list[str]) -> Iterator[str]:
    for line in lines:
        words = line.replace("=", " ", 1).split()
        keyword = words[0].lower() if words else ""
        if keyword == "include":
            raise ValueError(f"{line.strip()}: read only where OpenSSH's client is installed")
        if keyword == "match":
            _check_match(line, words[1:])
        yield line


def _check_match(line: str, words: list[str]) -> None:
    """Each word but `all`, `canonical` and `final` has one argument, which may be quoted."""
    quoted = False
    expected = True
    for word in words:
        name = word.lower().removeprefix("!").partition("=")[0]
        if quoted or not expected:
            quoted = (quoted or word.startswith('"')) and not word.endswith('"')
            expected = not quoted
            continue
        if name not in MATCHES:
            raise ValueError(
                f"{line.strip()}: '{name}' is judged only where OpenSSH's client is installed"
            )
        expected = name in {"all", "canonical", "final"} or "=" in word
