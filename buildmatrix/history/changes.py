"""What was not as the night before, in words. Pure: points in, words out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from buildmatrix.conditions import differences, remarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.history.series import Night, Point

NOTHING = "nothing that is on record"
SAME_PROGRAM = "the same program, measured under the same conditions"
NEAR = 2  # nights by which a step of the least size may be placed wrongly
SHORT = 12  # digits of a digest for people


def changed_at(points: Sequence[Point], place: int, nights: Sequence[Night]) -> tuple[str, ...]:
    """What changed at points[place], in words; else at the nearest night by which a step found
    there may be misplaced, which is then named."""
    for away in sorted(range(-NEAR, NEAR + 1), key=abs):
        at = place + away
        if 0 < at < len(points):
            words = tuple(_between(points[at - 1], points[at], nights))
            if words and away:
                day = nights[points[at].night].at[:10]
                words = tuple(f"{one} (on {day})" for one in words)
            if words:
                return words
    before, after = points[place - 1], points[place]
    same = before.bundle and before.bundle == after.bundle
    return (SAME_PROGRAM if same else NOTHING,)


def _between(before: Point, after: Point, nights: Sequence[Night]) -> Iterator[str]:
    """What differs between two points that follow each other."""
    was, now = before.made_with, after.made_with
    yield from _named("option", was.get("options"), now.get("options"))
    yield from _named("source", was.get("sources"), now.get("sources"))
    if was.get("toolchain_identity") != now.get("toolchain_identity"):
        yield _toolchain(before, after, nights)
    if was.get("flags") != now.get("flags"):
        yield f"flags {_list(was.get('flags'))} -> {_list(now.get('flags'))}"
    yield from remarks(before.conditions, after.conditions)
    yield from differences(before.conditions, after.conditions)


def _toolchain(before: Point, after: Point, nights: Sequence[Night]) -> str:
    """The packages that changed, as the nights since wrote them down."""
    name = str(after.made_with.get("toolchain", ""))
    words = [
        night.toolchains[name]
        for night in nights[before.night + 1 : after.night + 1]
        if name in night.toolchains and "the same" not in night.toolchains[name]
    ]
    return f"toolchain {name}: {'; '.join(words) or 'other packages'}"


def _named(what: str, was: object, now: object) -> Iterator[str]:
    """'source openblas 3f2a -> 9c1d' for each name whose value differs; unknown says nothing."""
    if not isinstance(was, Mapping) or not isinstance(now, Mapping):
        return
    for name in dict.fromkeys((*was, *now)):
        if was.get(name) != now.get(name):
            yield f"{what} {name} {_short(was.get(name))} -> {_short(now.get(name))}"


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text[:SHORT] if len(text) > 2 * SHORT and text.isalnum() else text


def _list(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else "unknown"
