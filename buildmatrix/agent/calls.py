"""Calling the scripts on a board: one short command, and an answer between two marks."""

from __future__ import annotations

import re
import secrets
import shlex
from itertools import chain
from typing import TYPE_CHECKING, Literal

from buildmatrix.agent.program import joined, program
from buildmatrix.errors import DeviceError, UsageError
from buildmatrix.protocols import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from buildmatrix.protocols import Connection

Mode = Literal["work", "keep", "look"]

LONGEST = 9_000  # bytes of one command; dropbear (MAX_CMD_LEN) closes the link at more
PREFIX = ".buildmatrix"  # relative to $HOME on the board

_SAFE = r"[A-Za-z0-9_+@=,~.-]+"
FOLDER = re.compile(rf"/?(?!-|/)(?!(?:.*/)?\.\.(?:/|$)){_SAFE}(?:/{_SAFE})*/?")
# Exit statuses of enter.sh, stored.sh and carried.sh.
ABSENT, HOMELESS, UNREACHED, DAMAGED = 90, 91, 92, 93


def ask(
    connection: Connection,
    line: str,
    *,
    timeout: float,
    prefix: str = PREFIX,
    stdin: Callable[[], Iterable[bytes]] | None = None,
    mode: Mode = "work",
    bare: bool = False,
) -> CommandResult:
    """Run `line`, which uses the agent's functions, inside the prefix; its status is a result.

    `stdin` gives what the line reads; it is called again when the board has no agent yet, which
    `bare` says beforehand. Mode "work" makes the prefix; "keep" puts no more than the agent into
    one that is there; "look" writes nothing. Without a prefix `$fresh` is set for the line.
    Raises DeviceError where the command is never reached, where the home folder is missing, and
    for scripts that do not arrive; LinkLost from the connection.
    """

    def once(*, carried: bool) -> CommandResult:
        mark = secrets.token_hex(6)
        text = command(line, mark=mark, prefix=prefix, mode=mode, carried=carried)
        given = stdin() if stdin else ()
        fed = chain([program().carried], given) if carried else given
        return unframed(connection.run(text, timeout=timeout, stdin=fed), mark)

    result = once(carried=bare)
    if result.status == ABSENT:
        result = once(carried=True)
    if result.status == HOMELESS:
        home = result.stdout.decode(errors="replace").strip()
        raise DeviceError(
            f"the home folder {home} does not exist on the board, or is not open to that user",
            hint="make it there as root and give it to that user, or log in as another user",
        )
    if result.status == DAMAGED:
        raise failure(result)
    return result


def call(
    connection: Connection,
    line: str,
    *,
    timeout: float,
    prefix: str = PREFIX,
    stdin: Callable[[], Iterable[bytes]] | None = None,
    mode: Mode = "work",
) -> CommandResult:
    """The same for a line that must succeed. Raises DeviceError with the board's own words."""
    result = ask(connection, line, timeout=timeout, prefix=prefix, stdin=stdin, mode=mode)
    if result.status != 0:
        raise failure(result)
    return result


def command(
    line: str, *, mark: str, prefix: str, mode: Mode = "work", carried: bool = False
) -> str:
    """The program of one call, without line breaks. Raises UsageError for an odd prefix."""
    if not FOLDER.fullmatch(prefix):
        raise UsageError(
            f"'{prefix}' cannot be the folder on the board",
            hint="use letters, digits, '-', '_', '.' and '/', without '..'",
        )
    words = (mark, program().digest, prefix, mode, line)
    scripts = ("enter", "carried") if carried else ("enter", "stored")
    return f"set -- {shlex.join(words)};{joined(*scripts)}"


def unframed(result: CommandResult, mark: str) -> CommandResult:
    """What stands between the marks; the status is the command's own.

    Raises DeviceError when the command was never reached: what the board printed instead is told.
    """
    begin, end = f"\n<{mark}\n".encode(), re.compile(rb"\n>%b (\d{1,3})\n" % mark.encode())
    _, mark_seen, answer = result.stdout.partition(begin)
    words = result.stderr.partition(begin)[2] if begin in result.stderr else result.stderr
    if not mark_seen:
        raise _unreached(result)
    answer = answer.removeprefix(begin)  # where both streams are one, the mark of each is there
    ends = list(end.finditer(answer))
    if not ends:  # it was killed, or the board went down
        return CommandResult(result.status or -1, answer, words)
    return CommandResult(int(ends[-1][1]), answer[: ends[-1].start()], words)


def failure(result: CommandResult) -> DeviceError:
    """What a failed call means for the user: a full disk, a missing tool, or the board's words."""
    words = result.stderr.decode(errors="replace").strip()
    ended = "was killed" if result.status < 0 else f"failed with status {result.status}"
    hints = {
        "No space left": "free space on the board, or remove old bundles with deploy --prune",
        "Read-only file system": "remount the board's file system writable, or check its card",
        "Permission denied": "check who owns the folder on the board",
        "not found": "install the missing tool on the board: sh, tar, gzip, sha256sum, coreutils",
    }
    hint = next((text for sign, text in hints.items() if sign in words), "run the command again")
    return DeviceError(f"a command on the board {ended}", details=words, hint=hint)


def _unreached(result: CommandResult) -> DeviceError:
    """Nothing of ours ran: the login shell, or a file that it reads, did something else."""
    printed = (result.stdout + b"\n" + result.stderr).decode(errors="replace").strip()
    ended = "was killed" if result.status < 0 else f"ended with status {result.status}"
    return DeviceError(
        f"the board's answer is not one: its login shell {ended} before it ran the command",
        details=printed[:400] or "it printed nothing",
        hint="look for `exit` or `exec` in what that shell reads at its start, for sessions that "
        "are not interactive too (~/.bashrc, ~/.zshenv, ~/.ssh/rc), and for a forced command in "
        "authorized_keys or sshd_config; `ssh` to it with `true` must print nothing and end with 0",
    )
