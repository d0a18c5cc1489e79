"""The kinds of Raspberry Pi and of its operating system, read from the two tables beside this."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from buildmatrix.baseline import Baseline, with_features
from buildmatrix.errors import UsageError, did_you_mean
from buildmatrix.nouns import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TRIPLES = {"EM_ARM": "arm-linux-gnueabihf", "EM_AARCH64": "aarch64-linux-gnu"}
WIDTHS = {"EM_ARM": "32", "EM_AARCH64": "64"}
# What a file is judged against when nobody names a board.
DEFAULT = "pi3"


@functools.cache
def _table(name: str) -> Mapping[str, Any]:
    text = (resources.files("buildmatrix") / "baseline" / name).read_text(encoding="utf-8")
    return tomllib.loads(text)


def names() -> tuple[str, ...]:
    """The board kinds, as written in boards.toml."""
    return tuple(_table("boards.toml"))


def suites() -> tuple[str, ...]:
    return tuple(_table("systems.toml")["suites"])


def is_kind(word: str) -> bool:
    """Whether a word names a board kind: pi4-64, pi4 (either width), with or without @SUITE."""
    board = word.partition("@")[0]
    return board in names() or f"{board}-64" in names()


def kind(word: str, machine: str) -> Baseline:
    """The kind that a word names, as NAME, NAME-WIDTH, each with @SUITE; `machine` decides a width
    that the word leaves open. Raises UsageError for a suite that is not known.
    """
    board, at, suite = word.partition("@")
    if at and suite not in suites():
        near = did_you_mean(suite, [*suites()])
        raise UsageError(
            f"--target {word}: no Raspberry Pi OS is called '{suite}'{near}",
            hint=f"name one of {', '.join(suites())}",
        )
    name = board if board in names() else f"{board}-{WIDTHS[machine]}"
    return _on(name, suite or _table("systems.toml")["default"])


def default(machine: str, why: str) -> Baseline:
    """A Raspberry Pi 3 of that width, with nothing said of its operating system."""
    known = kind(DEFAULT, machine)
    return replace(
        known,
        name=known.name.partition("@")[0],
        origin="default",
        summary=f"{_row(known.name.partition('@')[0])['summary']}, by default, {why}",
        target=replace(known.target, libc_floor=""),
        libraries={},
    )


def system(suite: str, machine: str) -> Baseline | None:
    """What an operating system brings, as any kind of that width with it; None: not known."""
    if suite not in suites() or machine not in WIDTHS:
        return None
    return kind(f"{DEFAULT}@{suite}", machine)


def sonames() -> tuple[str, ...]:
    """The libraries that every Raspberry Pi OS has beside libc's."""
    return kind(DEFAULT, "EM_ARM").provided


def like(features: frozenset[str], parts: Iterable[str], machine: str) -> Baseline | None:
    """The kind whose CPU is that of a board that was asked; None where the board is no ARM.

    By CPU part, else the kind with the most features, all of which the board has; the least
    kind where the board lists nothing.
    """
    if machine not in WIDTHS:
        return None
    rows = [name for name in names() if _row(name)["machine"] == machine]
    for name in rows:
        if any(f"({part})" in _row(name)["cpu"] for part in parts):
            return kind(name, machine)
    fitting = [name for name in rows if {*_row(name)["features"].split()} <= features]
    return kind(max(fitting, key=lambda n: len(_row(n)["features"]), default=rows[0]), machine)


def _row(name: str) -> Mapping[str, Any]:
    row: Mapping[str, Any] = _table("boards.toml")[name]
    return row


def _on(name: str, suite: str) -> Baseline:
    row, os = _row(name), _table("systems.toml")["suites"][suite]
    machine = row["machine"]
    features = frozenset(row["features"].split())
    target = Target(
        triple=TRIPLES[machine],
        machine=machine,
        march=row["march"],
        fpu=row["fpu"],
        float_abi="hard",
        libc_floor=os["glibc"],
    )
    libraries = {soname: tuple(versions) for soname, versions in os[machine].items()}
    return Baseline(
        name=f"{name}@{suite}",
        origin="board kind",
        summary=f"{row['summary']}, Raspberry Pi OS {suite}",
        target=with_features(target, features),
        cpu=row["cpu"],
        features=features,
        libraries=libraries,
        provided=tuple(libraries),
        files=tuple(os["files"]),
        page_size=row["page_size"],
        memory=row["memory_mib"] << 20,
    )
