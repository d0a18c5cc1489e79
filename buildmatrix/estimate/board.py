"""The boards that an estimate can be made for, and the times that others published for them."""

from __future__ import annotations

import csv
import functools
import json
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from buildmatrix.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

INT8 = "_int8"  # the end of the names of quantized networks in the published table


@dataclass(frozen=True, slots=True)
class Board:
    """Facts of a board that time depends on; units as in boards.toml."""

    name: str
    summary: str
    core: str
    cores: int
    mhz: int
    lanes: int
    bits: int
    l2_kib: int
    bandwidth: float
    group: str  # of boards that are held out together


@dataclass(frozen=True, slots=True)
class Row:
    """One time: milliseconds of an image, batch 1. `family` as in split.toml; `own`: measured by
    whoever asks, not published; `early`: by a release of ncnn from before benchncnn named the GPU
    in what it prints."""

    board: str
    threads: int
    network: str
    family: str
    ms: float
    own: bool = False
    early: bool = False


def text(name: str) -> str:
    """A file of the package's data. Raises FileNotFoundError."""
    return (resources.files("buildmatrix") / "estimate" / "data" / name).read_text("utf-8")


@functools.cache
def split() -> Mapping[str, Any]:
    return tomllib.loads(text("split.toml"))


@functools.cache
def boards() -> Mapping[str, Board]:
    """All boards by name."""
    groups = {name: group[0] for group in split()["boards"]["groups"] for name in group}
    rows = tomllib.loads(text("boards.toml"))
    return {name: Board(name=name, group=groups[name], **row) for name, row in rows.items()}


def board(name: str) -> Board:
    """The board of that name. Raises UsageError for one whose core the model was not shown on."""
    if not name:
        raise UsageError("which board? --as is missing", hint=f"--as {', '.join(boards())}")
    if name not in boards():
        near = did_you_mean(name, [*boards()])
        raise UsageError(
            f"'{name}': no times were published for such a board here{near}",
            hint=f"name one of {', '.join(boards())}",
        )
    return boards()[name]


@functools.cache
def published() -> tuple[Row, ...]:
    """Every published time of a network of floats."""
    families = {name: family for family, names in split()["families"].items() for name in names}
    return tuple(
        Row(
            board=row["board"],
            threads=int(row["threads"]),
            network=row["network"],
            family=families[row["network"]],
            ms=float(row["mean_ms"]),
            early=row["release"] == "early",
        )
        for row in csv.DictReader(text("published.csv").splitlines())
        if not row["network"].endswith(INT8)
    )


@functools.cache
def asked() -> Mapping[str, Mapping[str, float]]:
    """What each published network asks for, by part; see work.Demand."""
    networks: dict[str, dict[str, float]] = json.loads(text("networks.json"))
    return networks
