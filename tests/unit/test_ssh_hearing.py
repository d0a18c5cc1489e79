"""What a command prints, when somebody else goes on printing."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from buildmatrix.errors import DeviceError
from buildmatrix.ssh import hearing

if TYPE_CHECKING:
    from collections.abc import Iterator

OVER = re.compile(rb"\n>mark (\d{1,3})\n")


def heard(channel: mock.Mock, *pieces: bytes, after: tuple[bytes, ...] = ()) -> bytes:
    """What is made of pieces, and of those that come `after` the channel was closed."""

    def stream() -> Iterator[bytes]:
        yield from pieces
        while not channel.close.called:
            time.sleep(0.001)
        yield from (*after, b"")

    coming = stream()
    return hearing.hear(channel, lambda _: next(coming), OVER)


def test_what_still_comes_after_the_channel_was_closed_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "LINGER", 0.01)
    channel = mock.Mock()
    after = (b"y\n", b"y\n")
    assert heard(channel, b"answer", b"\n>mark 0\n", after=after) == b"answer\n>mark 0\ny\ny\n"
    channel.close.assert_called_once_with()


def test_an_end_in_two_pieces_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LINGER", 0.01)
    assert heard(mock.Mock(), b"answer\n>ma", b"rk 0\n").endswith(b">mark 0\n")


def test_more_than_any_answer_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MOST", 100)
    channel = mock.Mock()
    with pytest.raises(DeviceError, match="the board printed more than"):
        hearing.hear(channel, lambda _: b"y\n" * 40)
    channel.close.assert_called_once_with()


@pytest.mark.parametrize("error", [EOFError, OSError])
def test_a_link_that_goes_while_the_channel_is_closed_ends_no_thread(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """The threads' own tracebacks are faults of a test here: see pyproject.toml."""
    monkeypatch.setattr(hearing, "LINGER", 0.01)
    channel = mock.Mock()
    channel.close.side_effect = error
    assert heard(channel, b"answer", b"\n>mark 0\n") == b"answer\n>mark 0\n"
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()
    channel.close.assert_called_once_with()
