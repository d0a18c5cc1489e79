"""A board that hangs: its power is switched off and on by the command that matrix.yaml names.

The command runs on this machine, since the board does not answer. It is run when a person asks
for it, and in a night; both times that is told.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import deploy
from buildmatrix.boards.reach import Access, connect
from buildmatrix.errors import DeviceError, InputError, LinkLost
from buildmatrix.printable import printable
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.ssh.failures import NoSuchHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from buildmatrix.nouns import BoardAddress
    from buildmatrix.protocols import Reporter

    T = TypeVar("T")

SWITCHING = 120.0  # seconds that the command may take
BOOTING = 300.0  # seconds from its end until the board must answer
AGAIN = 3.0  # seconds between two questions
PATIENCE = 20.0  # seconds for a board to answer one
UPTIME = "cat /proc/uptime 2> /dev/null || :"
GONE = (LinkLost, NoSuchHost)  # mDNS forgets the name of a board that is off


@dataclass(frozen=True, slots=True)
class Switch:
    """Whose power is cycled, how it is reached afterwards, and who hears of it."""

    board: BoardAddress
    access: Access
    reporter: Reporter

    def cycle(self) -> float:
        """Switch off and on, and wait until it answers; the seconds that it took.

        Raises InputError when matrix.yaml names no command, DeviceError when that fails and when
        the board does not come back or never went down.
        """
        board = self.board
        if not board.cycle:
            raise InputError(
                f"nothing is known that switches {board.name} off and on",
                hint="write it at the device in matrix.yaml, power: {cycle: COMMAND}; it runs here",
            )
        subject, began = f"power of {board.name}", time.monotonic()
        self.reporter.emit(Started(subject, f"off and on: {board.cycle}"))
        self._run()
        self._wait(began)
        seconds = time.monotonic() - began
        self.reporter.emit(Finished(subject, "done", seconds, "it answers again"))
        return seconds

    def refuse_while_measuring(self) -> None:
        """Raise DeviceError when the board answers and a benchmark is at work there."""
        try:
            with connect(self.board, self.access, timeout=PATIENCE) as connection:
                deploy.refuse_while_measuring(self.board.name, deploy.glance(connection))
        except GONE:
            return

    def saved(self, work: Callable[[], T]) -> tuple[T, str]:
        """What `work` gives, and what was done for it: nothing, or one power cycle.

        Where the board is gone and a command is known, it is run once and the work begun anew.
        """
        try:
            return work(), ""
        except GONE as lost:
            if not self.board.cycle:
                raise
            text = f"{self.board.name} did not answer ({lost.brief}); its power was cycled"
            self.reporter.emit(Note("warning", text))
            seconds = self.cycle()
        return work(), f"{text}, and it answered after {seconds:.0f} s"

    def _run(self) -> None:
        try:
            done = subprocess.run(
                ["sh", "-c", self.board.cycle],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SWITCHING,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed(f"took more than {SWITCHING:.0f} s", b"") from None
        if done.returncode:
            raise self._failed(f"ended with status {done.returncode}", done.stdout)

    def _failed(self, how: str, words: bytes) -> DeviceError:
        return DeviceError(
            f"the command that cycles the power of {self.board.name} {how}",
            where=self.board.cycle,
            details=printable(words.decode(errors="replace").strip()),
            hint="run it by hand; it is written at the device in matrix.yaml, power: cycle",
        )

    def _wait(self, began: float) -> None:
        """Until it answers, and has been up for no longer than since `began`."""
        end = time.monotonic() + BOOTING
        words = "it does not answer"
        while time.monotonic() < end:
            try:
                with connect(self.board, self.access, timeout=PATIENCE) as connection:
                    text = connection.run(UPTIME, timeout=PATIENCE).stdout.split()
                if not text or float(text[0]) <= time.monotonic() - began + AGAIN:
                    return
                words = f"it answers and has been up for {float(text[0]):.0f} s: it never went down"
            except GONE as lost:
                words = lost.brief
            except ValueError:
                words = "its /proc/uptime holds no number"
            time.sleep(AGAIN)
        raise DeviceError(
            f"{self.board.name} did not come back {BOOTING:.0f} s after its power was cycled: "
            f"{words}",
            where=self.board.cycle,
            hint="look at the board and its supply, and at what the command switches",
        )
