"""gc: what was removed from a state folder, and what all of it weighs."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class KindRow(TypedDict):
    """All of one kind: what was there, what of it is needed, what was removed."""

    kind: str
    count: int
    bytes: int
    needed: int
    needed_bytes: int
    removed: int  # of a dry run: what would be
    removed_bytes: int


class GarbageRow(TypedDict):
    kind: str
    title: str  # what it is to a person: a work's id, where an archive came from
    name: str  # how it is known: a key, a path, an image's tag
    bytes: int  # that nothing else shares
    last_used: str  # UTC


class Gc(TypedDict):
    """`inv gc`: what is of no use any more is removed."""

    version: Literal[1]
    dry_run: bool
    kinds: list[KindRow]
    removed: list[GarbageRow]  # of a dry run: what would be
    busy: list[GarbageRow]  # would have gone, but somebody uses it
