"""What runs over a link: one verb, real deadlines."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import paramiko

from buildmatrix.agent.calls import end_of
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.protocols import CommandResult
from buildmatrix.ssh import ending
from buildmatrix.ssh.alive import Watch
from buildmatrix.ssh.failures import Deadline, lost, translated
from buildmatrix.ssh.feeding import feed
from buildmatrix.ssh.hearing import hear
from buildmatrix.ssh.packing import Packing

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from buildmatrix.ssh.chain import Chain

REFUSALS, PAUSE = 20, 0.1  # times, seconds: how long a session that ended may count


class SshConnection:
    """A POSIX shell on a board (protocols.Connection). Not to be shared between threads.

    After LinkLost the connection is closed for good: connect again.
    """

    def __init__(self, chain: Chain, where: str, again: Callable[[], SshConnection]) -> None:
        """`again` logs in once more, within seconds."""
        self._chain = chain
        self._where = where
        self._again = again
        self._served = False  # whether a session was granted before

    def __enter__(self) -> SshConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        """Run `script` with `sh -c`; see protocols.Connection."""
        return self.converse(script, timeout=timeout, stdin=stdin or (), heard=lambda _: None)

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        """The same with an ear; see protocols.Conversation.

        `exec` makes sh the process that sshd watches, whatever the login shell: only so is a
        death by signal seen as such (status -1).
        """
        transport = self._chain.last
        if not transport.is_active():
            if jump := self._chain.gone(self._where):
                raise lost(EOFError(), self._where, jump)
            raise LinkLost("the connection is closed", where=self._where, hint="connect again")
        mark = secrets.token_hex(8)

        def give_up() -> None:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException, DeviceError):
                self._end(transport, mark)
            self.close()

        with (
            Deadline(timeout, give_up) as deadline,
            Watch(transport, self.close),
            translated(self._where, self._chain.gone),
        ):
            channel = self._session(transport, timeout)
            channel.exec_command(f"exec sh -c {shlex.quote(ending.marked(script, mark))}")
            result, fault = _exchange(channel, stdin, end_of(script), heard)
            if deadline.passed or (result.status == -1 and not transport.is_active()):
                raise EOFError  # paramiko's -1 is 'no status': a signal, or a lost link
        if fault is not None:
            raise fault
        return result

    def _end(self, transport: paramiko.Transport, mark: str) -> None:
        """End what was begun with a mark; over a connection of its own where the server grants one
        session a connection."""
        try:
            ending.end(transport, mark)
        except paramiko.ChannelException:
            with self._again() as another:
                ending.end(another._chain.last, mark)

    def _session(self, transport: paramiko.Transport, timeout: float) -> paramiko.Channel:
        """A new session. OpenSSH with `MaxSessions 1` counts the one before for a moment longer
        than it takes to ask for the next."""
        tries = itertools.count()
        while True:
            try:
                channel = transport.open_session(timeout=timeout)
            except paramiko.ChannelException:
                if not self._served or next(tries) == REFUSALS:
                    raise
                time.sleep(PAUSE)
            else:
                self._served = True
                return channel

    @property
    def packed(self) -> int | None:
        """Bytes that were sent packed so far; None where SSH does not pack."""
        transport = self._chain.last
        return transport.packed if isinstance(transport, Packing) else None

    def close(self) -> None:
        """Cut the connection; safe to call again, and from another thread."""
        self._chain.close()


def _exchange(
    channel: paramiko.Channel,
    chunks: Iterable[bytes],
    over: re.Pattern[bytes] | None,
    heard: Callable[[bytes], None],
) -> tuple[CommandResult, BaseException | None]:
    """Feed and drain at once: both streams share a window, so one left unread stops the other.

    The second value is what went wrong in `chunks` itself.
    """
    with ThreadPoolExecutor(2) as pool, contextlib.closing(channel):
        feeding = pool.submit(feed, channel, chunks)
        draining = pool.submit(hear, channel, channel.recv_stderr)
        out, err = hear(channel, channel.recv, over, heard), draining.result()
        result = CommandResult(channel.recv_exit_status(), out, err)
    return result, feeding.exception()
