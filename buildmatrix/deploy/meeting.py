"""A first meeting: what a board is and what it lacks travel at once, over one call.

Whether bundles can run there is known when the board has said what it is, half a second later on a
small one. Until then the content that it would need is sent already: the link has nothing else to
carry, and what tells the board to put it in place comes last. One that turns out to be no board for
it is left as it was.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, cast

from buildmatrix.agent import PREFIX, call, converse, failure
from buildmatrix.deploy.listing import Listing
from buildmatrix.deploy.pushed import Pushed, gone, received
from buildmatrix.deploy.questions import LONG, SHORT, SLOWEST_LINK
from buildmatrix.deploy.stream import closing, contents, ship, squeezer, zstd_here
from buildmatrix.deploy.upload import check
from buildmatrix.errors import BuildmatrixError
from buildmatrix.protocols import Advanced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from buildmatrix.deploy.stream import Codec
    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import Conversation, ObjectReader, Reporter

AHEAD = 4 << 20  # bytes of content that are sent before it is known whether they are wanted
ALONE = re.compile(rb"alone (plain|zstd|deb)\n")  # of alone.sh: there is no prefix
GREETED = b"\nend\n"  # the end of what `greet` says, see listing.sh


def meet(
    connection: Conversation,
    bundles: Sequence[Bundle],
    objects: ObjectReader,
    judge: Callable[[bytes], bool],
    *,
    prefix: str = PREFIX,
    reporter: Reporter,
    subject: str,
) -> Pushed | None:
    """Ask a board what it is, and if nothing was ever deployed there, make these bundles active.

    `judge` is given its answer, once, and says whether all of them may go there. None: they are not
    there, by its word or because something is there already; `push` does the rest. Raises what
    `judge` does, and otherwise as `push`. The connection must pack.
    """
    for bundle in bundles:
        check(bundle)
    shipment = ship(bundles, Listing(fresh=True), objects, packed=True)
    total, before = shipment.upload.size, connection.packed or 0

    def advanced(done: int) -> None:
        reporter.emit(Advanced(subject, done, total, "bytes"))

    ear = _Ear(judge)

    def sent() -> Iterator[bytes]:
        return ear.held(contents(shipment.upload, objects, advanced), closing(shipment))

    limit = LONG + total / SLOWEST_LINK
    line = "meet zstd" if zstd_here() else "meet"
    result = converse(connection, line, timeout=limit, prefix=prefix, stdin=sent, heard=ear.heard)
    if ear.verdict is None:
        if result.status != 0:
            raise failure(result)
        ear.weigh(result.stdout)  # less than an answer: says what it lacks
    if not ear.verdict:
        if ear.alone:
            call(connection, "abandon", timeout=SHORT, prefix=prefix, mode="keep", bare=True)
        if ear.fault is not None:
            raise ear.fault
    if not (ear.verdict and ear.alone) or (result.status != 0 and ear.alone == "deb"):
        return None  # what speaks against it the push finds out, which asks nothing of dpkg-deb
    lines = received(result, shipment.upload)
    if lines["missing"]:
        raise gone(result)
    switched = tuple(cell for (cell,) in lines["switched"])
    wire = (connection.packed or 0) - before
    return Pushed(len(shipment.upload.travelling), wire, switched)


class _Ear:
    """Hears a board out, and lets go on sending, or not: two threads share it."""

    def __init__(self, judge: Callable[[bytes], bool]) -> None:
        self._judge = judge
        self.alone: Codec | None = None  # nothing was ever deployed there: how it is sent
        self.verdict: bool | None = None  # of the judge
        self.fault: BuildmatrixError | None = None  # that it raised
        self._begun, self._judged = threading.Event(), threading.Event()

    def heard(self, answer: bytes, over: bool) -> None:  # noqa: FBT001 - as agent.converse calls
        """Take what the board has answered so far, and whether it is the last."""
        if self.alone is None and (word := ALONE.match(answer)):
            self.alone = cast("Codec", word[1].decode())
        if self.verdict is None and GREETED in answer:
            self.weigh(answer.partition(GREETED)[0] + GREETED)
        if self.alone or over or self.verdict is not None:
            self._begun.set()
        if over:
            self._judged.set()

    def weigh(self, answer: bytes) -> None:
        """Have it judged; what the judge raises is kept for whoever began the meeting."""
        try:
            self.verdict = self._judge(answer)
        except BuildmatrixError as fault:
            self.verdict, self.fault = False, fault
        self._judged.set()

    def held(self, content: Iterable[bytes], closing: bytes) -> Iterator[bytes]:
        """The content, at first no more than AHEAD of it, and what puts it in place when all of it
        may go there."""
        self._begun.wait()
        if not self.alone:
            return
        squeeze, ahead = squeezer(self.alone), AHEAD
        for piece in content:
            ahead -= len(piece)
            if ahead < 0:
                self._judged.wait()
            if self._judged.is_set() and not self.verdict:
                return
            yield squeeze.compress(piece)
        self._judged.wait()
        if self.verdict:
            yield squeeze.compress(closing)
            yield squeeze.flush()
