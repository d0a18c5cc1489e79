"""Inputs that are nearly right: a good one, then a few things done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

EDGES = (
    *(0, 1, 2, 3, 4, 7, 8, 16, 127, 128, 255, 4096, 0x7FFF, 0xFFFF, 1 << 30, 1 << 31),
    *(0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1),
)
REPEATS = (2, 3, 10, 100, 3_000, 100_000, 1 << 20)
ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
# What parsers trip over: numbers without end, nesting, odd line ends, invisible characters.
WORDS: tuple[bytes, ...] = (
    *(b"-1", b"9" * 400, b"1e999", b"NaN", b"Infinity", b"1_0", b"\xd9\xa3", b"0x"),
    *(b"null", b"true", b"[", b"{", b"[[[[", b'{"a":', b"- ", b": ", b"? ", b"&a "),
    *(b"*a", b"<<: ", b"!!python/object ", b"#", b"'", b'"', b"\\", b"\\u"),
    *(b"\\ud800", b"%s", b"{{", b"{%", b"..", b"../", b"/", b"*", b"?", b"[!", b"="),
    *(b"|", b",", b"@", b"|1|", b"\0", b"\n", b"\r", b"\x85", b"\xe2\x80\xa8"),
    *(b"\x1b[2J", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
)


@st.composite
def mutated(draw: DrawFn, seeds: Sequence[bytes], largest: int) -> bytes:
    """One of the seeds after up to six changes, at most `largest` bytes; or any bytes."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(draw(st.sampled_from(seeds))[:largest])
    for _ in range(draw(st.integers(1, 6))):
        _change(draw, data, seeds)
        del data[largest:]
    return bytes(data)


def _change(draw: DrawFn, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = draw(st.integers(0, len(data)))
    end = min(len(data), at + draw(st.sampled_from((1, 2, 4, 8, 16, 64, 300, len(data)))))
    match draw(st.sampled_from(("bit", "edge", "cut", "word", "bytes", "repeat", "splice"))):
        case "bit" if at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        case "edge":
            width = draw(st.sampled_from((1, 2, 4, 8)))
            number = draw(st.sampled_from(EDGES)) % (1 << 8 * width)
            order = draw(st.sampled_from(ORDERS))
            data[at : at + width] = number.to_bytes(width, order)
        case "cut":
            del data[at:end]
        case "word":
            data[at:at] = draw(st.sampled_from(WORDS))
        case "bytes":
            data[at:end] = draw(st.binary(max_size=16))
        case "repeat":
            piece = bytes(data[at:end]) or draw(st.sampled_from(WORDS))
            times = min(draw(st.sampled_from(REPEATS)), (1 << 20) // len(piece) + 1)
            data[at:at] = piece * times
        case "splice":
            other = draw(st.sampled_from(seeds))
            data[at:end] = other[draw(st.integers(0, len(other))) :]
        case _:
            pass
