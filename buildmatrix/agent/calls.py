"""Calling the scripts on a board: one short command, and an answer between two marks."""

from __future__ import annotations

import re
import secrets
import shlex
from itertools import chain
from typing import TYPE_CHECKING, Literal

from buildmatrix.agent.program import joined, program
from buildmatrix.agent.refusals import ABSENT, failure, refusal, unreached
from buildmatrix.errors import UsageError
from buildmatrix.protocols import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from buildmatrix.protocols import Connection, Conversation

Mode = Literal["work", "keep", "look", "meet"]

LONGEST = 9_000  # bytes of one command; dropbear (MAX_CMD_LEN) closes the link at more
PREFIX = ".buildmatrix"  # relative to $HOME on the board

_SAFE = r"[A-Za-z0-9_+@=,~.-]+"
FOLDER = re.compile(rf"/?(?!-|/)(?!(?:.*/)?\.\.(?:/|$)){_SAFE}(?:/{_SAFE})*/?")
BEGUN = re.compile(r"set -- ([0-9a-f]{12}) ")
SPARE = 8  # lines that a start-up file may read from what is sent


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
    `bare` says beforehand. Mode "work" makes the prefix; "keep", and "meet" (see `converse`) too,
    puts no more than the agent into one that is there; "look" writes nothing. Without a prefix
    `$fresh` is set for the line. Raises DeviceError where the command is never reached, and for
    what the scripts that begin it refuse; LinkLost from the connection.
    """

    def once(*, carried: bool) -> CommandResult:
        mark = secrets.token_hex(6)
        fed = carried or stdin is not None
        text = command(line, mark=mark, prefix=prefix, mode=mode, carried=carried, fed=fed)
        head = _head(mark) if fed else b""
        head += program().carried if carried else b""
        sent = chain([head], stdin() if stdin else ()) if fed else ()
        return unframed(connection.run(text, timeout=timeout, stdin=sent), mark)

    result = once(carried=bare)
    if result.status == ABSENT:
        result = once(carried=True)
    if (error := refusal(result)) is not None:
        raise error
    return result


def converse(
    connection: Conversation,
    line: str,
    *,
    timeout: float,
    prefix: str = PREFIX,
    stdin: Callable[[], Iterable[bytes]],
    heard: Callable[[bytes, bool], None],
) -> CommandResult:
    """The same in mode "meet", with a board that has no agent as far as is known.

    `heard` gets all that the line has answered by then, whenever that is more, and whether it was
    the last; `stdin` may wait for that.
    """
    mark, said = secrets.token_hex(6), b""
    begin = _begin(mark)

    def listened(piece: bytes) -> None:
        nonlocal said
        said += piece
        heard(said.partition(begin)[2], not piece)

    text = command(line, mark=mark, prefix=prefix, mode="meet", carried=True, fed=True)
    sent = chain([_head(mark) + program().carried], stdin())
    spoken = connection.converse(text, timeout=timeout, stdin=sent, heard=listened)
    result = unframed(spoken, mark)
    if (error := refusal(result)) is not None:
        raise error
    return result


def call(
    connection: Connection,
    line: str,
    *,
    timeout: float,
    prefix: str = PREFIX,
    stdin: Callable[[], Iterable[bytes]] | None = None,
    mode: Mode = "work",
    bare: bool = False,
) -> CommandResult:
    """The same for a line that must succeed. Raises DeviceError with the board's own words."""
    result = ask(
        connection, line, timeout=timeout, prefix=prefix, stdin=stdin, mode=mode, bare=bare
    )
    if result.status != 0:
        raise failure(result)
    return result


def command(
    line: str,
    *,
    mark: str,
    prefix: str,
    mode: Mode = "work",
    carried: bool = False,
    fed: bool = False,
) -> str:
    """The program of one call, without line breaks; `fed` says that something is sent to it.

    Raises UsageError for an odd prefix.
    """
    if not FOLDER.fullmatch(prefix):
        raise UsageError(
            f"'{prefix}' cannot be the folder on the board",
            hint="use letters, digits, '-', '_', '.' and '/', without '..'",
        )
    words = (mark, program().digest, prefix, mode, line)
    meets, feeds = ["alone"] if mode == "meet" else [], ["fed"] if fed else []
    scripts = ("enter", *meets, *feeds, "carried" if carried else "stored")
    return f"set -- {shlex.join(words)};{joined(*scripts)}"


def unframed(result: CommandResult, mark: str) -> CommandResult:
    """What stands between the marks; the status is the command's own.

    Raises DeviceError when the command was never reached: what the board printed instead is told.
    """
    begin, end = _begin(mark), _end(mark)
    _, mark_seen, answer = result.stdout.partition(begin)
    words = result.stderr.partition(begin)[2] if begin in result.stderr else result.stderr
    if not mark_seen:
        raise unreached(result)
    answer = answer.removeprefix(begin)  # where both streams are one, the mark of each is there
    ends = list(end.finditer(answer))
    if not ends:  # it was killed, or the board went down
        return CommandResult(result.status or -1, answer, words)
    return CommandResult(int(ends[-1][1]), answer[: ends[-1].start()], words)


def end_of(script: str) -> re.Pattern[bytes] | None:
    """What stands at the end of the answer to a command of `command`; None for other scripts."""
    words = BEGUN.match(script)
    return _end(words[1]) if words else None


def _head(mark: str) -> bytes:
    """What is sent before all else, see fed.sh."""
    return b"\n" * SPARE + mark.encode() + b"\n"


def _begin(mark: str) -> bytes:
    return f"\n<{mark}\n".encode()


def _end(mark: str) -> re.Pattern[bytes]:
    return re.compile(rb"\n>%b (\d{1,3})\n" % mark.encode())
