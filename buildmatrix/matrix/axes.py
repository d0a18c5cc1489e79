"""The combinations that matrix.yaml asks for; nothing that it says vanishes without a word."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from buildmatrix.errors import did_you_mean
from buildmatrix.matrix.spec import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buildmatrix.faults import Position
    from buildmatrix.matrix.spec import MatrixSpec
    from buildmatrix.nouns import Scalar
    from buildmatrix.schema import Document

MOST_CELLS = 100_000  # some 60 us of CPU and 1 kB each
MOST_HELD = 2_000_000  # values of exclusions held against cells, some 2 us each


def written_once(document: Document, spec: MatrixSpec) -> None:
    """A variable comes from one place: a second one would take over without a word."""
    places: dict[str, Position] = {name: ("axes", name) for name in spec.axes}
    if spec.toolchain is not None and (spec.axes or spec.zip):
        places.setdefault("toolchain", ("toolchain",))
    linked = [(("zip", i, name), name) for i, group in enumerate(spec.zip) for name in group]
    doubles: list[tuple[Position, str]] = [*linked]
    if "toolchain" in spec.axes and spec.toolchain is not None:
        places["toolchain"] = ("toolchain",)
        doubles.insert(0, (("axes", "toolchain"), "toolchain"))
    for at, name in doubles:
        if name in places:
            other = document.locate(places[name])
            brief = f"'{name}' is written twice, also at {other}"
            raise document.fault(at, brief, hint="keep it in one of the two places")
        places[name] = at
    for name, values in spec.axes.items():
        seen: set[tuple[type, Scalar]] = set()  # `true` is not 1
        for i, value in enumerate(values):
            if (type(value), value) in seen:
                raise document.fault(("axes", name, i), f"{value!r} is in this axis already")
            seen.add((type(value), value))


def every_axis_used(document: Document, spec: MatrixSpec, usable: Iterable[str]) -> None:
    """Raise InputError at an axis that is no option of any stack here: most often a misspelt one.

    `usable` are the options that the stacks have for some choice of the others.
    """
    used = {"stack", "toolchain", *usable}
    places: list[tuple[Position, str]] = [(("axes", name), name) for name in spec.axes]
    places += [(("zip", i, name), name) for i, group in enumerate(spec.zip) for name in group]
    for at, name in places:
        if name not in used:
            near = did_you_mean(name, sorted(used))
            brief = f"no stack of this matrix uses '{name}'{near}"
            raise document.fault(at, brief, hint=f"axes that are used: {listed(sorted(used))}")


def linked_rows(document: Document, spec: MatrixSpec) -> None:
    """Linked axes are equally long, and none of their rows stands there twice."""
    for i, linked in enumerate(spec.zip):
        lengths = {name: len(values) for name, values in linked.items()}
        if len(set(lengths.values())) > 1:
            shown = listed(f"{name} has {n}" for name, n in lengths.items())
            raise document.fault(("zip", i), f"linked axes must be equally long: {shown}")
        rows: set[str] = set()
        for place, row in enumerate(zip(*linked.values(), strict=True)):
            if repr(row) in rows:  # `true` is not 1
                raise document.fault(
                    ("zip", i, next(iter(linked)), place), f"{row!r} is in this zip already"
                )
            rows.add(repr(row))


def few_enough(document: Document, spec: MatrixSpec) -> None:
    """Raise InputError for more cells than anybody builds: three lists of 300 numbers ask for 27
    million, and every exclusion is held against every cell."""
    axes = math.prod(len(values) for values in spec.axes.values())
    linked = math.prod(len(next(iter(group.values()))) for group in spec.zip)
    toolchains = len(spec.toolchain) if isinstance(spec.toolchain, list) else 1
    combined = axes * linked if spec.axes or spec.zip else 0
    cells = (combined + len(spec.include)) * toolchains * len(spec.bench.models)
    if cells > MOST_CELLS:
        at: Position = ("axes",) if ("axes",) in document.places else ()
        brief = f"this asks for {cells:,} combinations; at most {MOST_CELLS:,} are read"
        raise document.fault(at, brief, hint="fewer values, or `zip:` for axes that go together")
    excluded = sum(
        len(values) if isinstance(values, list) else 1
        for rule in spec.exclude
        for values in rule.variables.values()
    )
    if cells * excluded > MOST_HELD:
        brief = f"{excluded:,} excluded values are too many for {cells:,} combinations"
        raise document.fault(("exclude",), brief, hint="globs, as `blas: open*`, take fewer")


def combinations(
    document: Document, spec: MatrixSpec
) -> Iterator[tuple[dict[str, Scalar], Position, str]]:
    """Every combination: its variables, where it stands, and its name or name template."""
    for i, entry in enumerate(spec.include):
        if not entry.name:
            raise document.fault(
                ("include", i),
                "an include is a whole cell, and this one has no name",
                hint="add `name:`, `stack:` and its options; what is to vary goes into `axes` or "
                "`zip`",
            )
    if "name" in spec.model_fields_set and not (spec.axes or spec.zip):
        raise document.fault(
            ("name",),
            "this names the cells of axes, and there are none",
            hint="remove it: every cell under `include` has its own name",
        )
    toolchains = spec.toolchain if isinstance(spec.toolchain, list) else [spec.toolchain]
    groups: list[list[dict[str, Scalar]]] = [[{n: v} for v in vs] for n, vs in spec.axes.items()]
    for linked in spec.zip:
        rows = zip(*linked.values(), strict=True)
        groups.append([dict(zip(linked, row, strict=True)) for row in rows])
    for toolchain in toolchains:
        default: dict[str, Scalar] = {} if toolchain is None else {"toolchain": toolchain}
        if spec.axes or spec.zip:
            for parts in itertools.product(*groups):
                merged = {k: v for part in parts for k, v in part.items()}
                yield default | merged, ("axes",), spec.name
        for i, entry in enumerate(spec.include):
            yield default | entry.variables, ("include", i), entry.name
