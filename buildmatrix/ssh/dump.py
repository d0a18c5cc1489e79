"""What OpenSSH's client makes of its configuration, by `ssh -G`: the judge users check against.

It reads Include, every word of Match, the global file, quotes and comments as ssh does, because it
is ssh. Commands of `Match exec` are run by it, as by any `ssh`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, str | list[str]]  # keyword in small letters -> value; lists where it may repeat

GLOBAL = Path("/etc/ssh/ssh_config")
PACKED = "Compression yes"  # ssh's own default is no, and shows as if somebody had written it
# They stand last, so that 'nothing is written' shows.
NOBODYS = (
    "User buildmatrix-nobody",
    "IdentityFile /buildmatrix-nobody",
    "UserKnownHostsFile /buildmatrix-nobody",
    PACKED,
)
AGAIN = "IdentityFile /buildmatrix-again"  # is set where all files are read a second time
LISTS = ("identityfile", "certificatefile")
SECONDS = 20.0  # for commands of Match exec too
# What Match sessiontype and Match command judge: a board is sent commands, and a jump host is only
# passed through, for which ssh runs itself with -W, which means -N.
COMMAND, PASSED = ("exec", "sh", "-c"), "-N"


def installed() -> str | None:
    """The path of OpenSSH's client."""
    return shutil.which("ssh")


def dump(
    program: str, host: str, given: Mapping[str, str | int], config: Path, *, jump: bool
) -> Values:
    """The settings that `ssh` would use for `host`, to which commands are sent, or which is passed
    through as a jump host; `given` are options of a command line.

    Our own defaults hold where nothing is written: then User, IdentityFile, UserKnownHostsFile and
    Compression are left out. Raises ValueError with ssh's words for a configuration that it
    refuses.
    """
    words = [f"-o{key}={value}" for key, value in given.items()]
    # A command of the configuration, which ssh would refuse beside one, is not run here.
    words += [PASSED, "--", host] if jump else ["-oRemoteCommand=none", "--", host, *COMMAND]
    values = _asked(program, words, config, ["Match canonical", AGAIN, "Match all", *NOBODYS])
    if AGAIN.split()[1] in values.get("identityfile", ()):
        # Match final reads all files again, and there what NOBODYS set would stand first.
        last = ["Match canonical", *NOBODYS, "Match final", PACKED]
        values = _asked(program, words, config, last)
    return {key: value for key, value in values.items() if not _nobodys(key, value)}


def _asked(program: str, words: list[str], config: Path, last: list[str]) -> Values:
    """What `ssh -G` prints for a configuration that ends in the lines `last`."""
    with tempfile.NamedTemporaryFile("w", prefix="ssh-", suffix=".config") as file:
        # An Include that leads nowhere is no fault; a block in it ends with it.
        lines = [f'Include "{path}"' for path in (config.absolute(), GLOBAL)] + last
        file.write("\n".join(lines) + "\n")
        file.flush()
        try:
            done = subprocess.run(
                [program, "-G", "-F", file.name, *words],
                capture_output=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"`ssh -G` took more than {SECONDS:.0f} s: see Match exec") from None
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").replace(file.name, str(config)).strip()
        raise ValueError(text or f"`ssh -G` ended with status {done.returncode}")
    return _values(done.stdout.decode("utf-8", "surrogateescape"))


def _values(text: str) -> Values:
    values: Values = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key in LISTS:
            values[key] = [*values.get(key, []), value]
        else:
            values.setdefault(key, value)
    files = values.get("identityfile", [])
    values["identityfile"] = [name for name in files if name != NOBODYS[1].split()[1]]
    return values


def _nobodys(key: str, value: str | list[str]) -> bool:
    """Whether nothing is written."""
    return not value or any(line.lower() == f"{key} {value}" for line in NOBODYS)
