"""What OpenSSH's client makes of its configuration, by `ssh -G`: the judge users check against.

It reads Include, every word of Match, the global file, quotes and comments as ssh does, because it
is ssh. Commands of `Match exec` are run by it, as by any `ssh`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, str | list[str]]  # keyword in small letters -> value; lists where it may repeat

GLOBAL = Path("/etc/ssh/ssh_config")
NOBODY = "buildmatrix-nobody"  # stands last as User, so that 'nothing is said' shows
LISTS = ("identityfile", "certificatefile")
SECONDS = 20.0  # for commands of Match exec too
# Its own defaults, when no IdentityFile is written.
DEFAULT_FILE = re.compile(r"(~|/.*)/\.ssh/id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss)")


def installed() -> str | None:
    """The path of OpenSSH's client."""
    return shutil.which("ssh")


def dump(program: str, host: str, given: Mapping[str, str | int], config: Path) -> Values:
    """The settings that `ssh` would use for `host`; `given` are options of a command line.

    Our own defaults hold where nothing is written: then User, IdentityFile and UserKnownHostsFile
    are left out. Raises ValueError with ssh's words for a configuration that it refuses.
    """
    with tempfile.NamedTemporaryFile("w", prefix="ssh-", suffix=".config") as file:
        # An Include that leads nowhere is no fault; a block in it ends with it.
        lines = [f'Include "{path}"' for path in (config.absolute(), GLOBAL)]
        lines += ["Match all", f"User {NOBODY}", f"UserKnownHostsFile /{NOBODY}"]
        file.write("\n".join(lines) + "\n")
        file.flush()
        options = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
        try:
            done = subprocess.run(
                [program, "-G", "-F", file.name, *options, "--", host],
                capture_output=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"`ssh -G` took more than {SECONDS:.0f} s: see Match exec") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").replace(file.name, str(config)).strip()
        raise ValueError(words or f"`ssh -G` ended with status {done.returncode}")
    return _values(done.stdout.decode("utf-8", "surrogateescape"))


def _values(text: str) -> Values:
    values: Values = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key in LISTS:
            values[key] = [*values.get(key, []), value]
        else:
            values.setdefault(key, value)
    if values.get("user") == NOBODY:
        del values["user"]
    if values.get("userknownhostsfile") == f"/{NOBODY}":
        del values["userknownhostsfile"]
    files = values.get("identityfile", [])
    if len(files) > 2 and all(DEFAULT_FILE.fullmatch(name) for name in files):
        del values["identityfile"]
    return values
