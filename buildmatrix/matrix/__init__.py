"""matrix.yaml: axes, inclusions and exclusions, expanded into cells. Pure.

A combination becomes a cell; only the options that its recipe uses count, so combinations that
differ in nothing the recipe uses are one cell. What an exclusion drops is kept with its reason.
Nothing that was written vanishes without a word: an included cell stands as it is written, also
beside a combination with the same options, an axis that no stack uses is an error, and a value that
comes to no cell is told (`idle`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix.deciding import Deciding
from buildmatrix.errors import InputError, did_you_mean
from buildmatrix.matrix.axes import (
    combinations,
    every_axis_used,
    few_enough,
    linked_rows,
    written_once,
)
from buildmatrix.matrix.cell import Known, cell_of
from buildmatrix.matrix.idle import Idle, Served, idle_exclusions, idle_toolchains, said_once
from buildmatrix.matrix.spec import BenchSpec, MatrixSpec, PowerSpec, listed
from buildmatrix.nouns import BoardAddress, Cell, Dropped, Meter, Scalar
from buildmatrix.recipe import used_options
from buildmatrix.selector import fits, matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.faults import Position
    from buildmatrix.recipe import Recipe
    from buildmatrix.schema import Document
    from buildmatrix.settings import NightlySpec
    from buildmatrix.toolchain import Toolchain

__all__ = ["Idle", "Matrix", "MatrixSpec", "expand"]

_Decided = tuple[str, str, tuple[tuple[str, Scalar], ...]]  # stack, toolchain, options


@dataclass(frozen=True, slots=True)
class Matrix:
    """The expanded matrix. `idle`: what is written in it and comes to nothing."""

    cells: tuple[Cell, ...]
    dropped: tuple[Dropped, ...]
    bench: BenchSpec
    nightly: NightlySpec
    devices: Mapping[str, BoardAddress]
    groups: Mapping[str, Sequence[str]]
    idle: tuple[Idle, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A cell, and what its own include says of it: no exclusion takes that back."""

    cell: Cell
    written: frozenset[str] = frozenset()


def expand(
    document: Document, recipes: Mapping[str, Recipe], toolchains: Mapping[str, Toolchain]
) -> Matrix:
    """All cells, kept and dropped. Raises InputError at the place of the first fault."""
    spec = document.build(MatrixSpec)
    written_once(document, spec)
    linked_rows(document, spec)
    said_once(document, spec)
    few_enough(document, spec)
    known = Known(recipes, toolchains, Deciding(recipes))
    wanted, served = _wanted(document, spec, known)
    stacks = {one.cell.stack for one in wanted}
    usable = {o for stack in stacks for o in used_options(recipes[stack], recipes)}
    every_axis_used(document, spec, usable)
    cells = tuple(
        _Wanted(_of_model(w.cell, model, spec), w.written)
        for model in spec.bench.models
        for w in wanted
        if not recipes[w.cell.stack].measures
    ) + tuple(
        _Wanted(replace(w.cell, model=recipes[w.cell.stack].measures), w.written)
        for w in wanted
        if recipes[w.cell.stack].measures
    )
    _unique(tuple(w.cell for w in cells))
    kept, dropped = _exclude(document, spec, cells)
    _grouped(document, spec)
    idle = (
        *served.idle(document, spec),
        *idle_toolchains(document, spec, (w.cell for w in cells)),
        *idle_exclusions(document, spec, [_values(w.cell) for w in cells]),
    )
    return Matrix(kept, dropped, spec.bench, spec.nightly, _devices(spec), spec.groups, idle)


def _wanted(
    document: Document, spec: MatrixSpec, known: Known
) -> tuple[tuple[_Wanted, ...], Served]:
    """The cells of the axes and of the includes, of whatever model, and which values came to them.

    Raises InputError at an include that stands there twice.
    """
    wanted: dict[tuple[_Decided, str], _Wanted] = {}
    served = Served()
    included: dict[tuple[_Decided, str], Position] = {}
    for variables, at, name in combinations(document, spec):
        cell = cell_of(document, variables, at, name, known)
        decided = (cell.stack, cell.toolchain, cell.options)
        if at[0] != "include":
            wanted.setdefault((decided, ""), _Wanted(cell))
            served.add(variables, cell)
            continue
        other = included.setdefault((decided, cell.id), at)
        if other != at:  # with each toolchain of a list it comes again
            brief = f"'{cell.id}' is included already, at {document.locate(other)}"
            raise document.fault(at, brief)
        written = frozenset(spec.include[int(at[1])].variables)
        same = wanted.get((decided, ""))  # the combination that it is, if it has its name too
        key = (decided, "" if same and same.cell.id == cell.id else cell.id)
        wanted[key] = _Wanted(cell, written)
    return tuple(wanted.values()), served


def _of_model(cell: Cell, model: str, spec: MatrixSpec) -> Cell:
    """The cell for one of the models. Those of the first keep the name that they have alone."""
    first = model == spec.bench.models[0]
    identifier = cell.id if first else f"{cell.id}.{model}"
    return Cell(identifier, model, cell.stack, cell.toolchain, cell.options, cell.where)


def _unique(cells: tuple[Cell, ...]) -> None:
    seen: dict[str, Cell] = {}
    for cell in cells:
        if cell.id in seen:
            raise InputError(
                f"two cells are called '{cell.id}'",
                where=cell.where,
                details=f"{seen[cell.id].where}: the other one",
                hint="put every axis that varies into `name:`, or rename one",
            )
        seen[cell.id] = cell


def _exclude(
    document: Document, spec: MatrixSpec, wanted: tuple[_Wanted, ...]
) -> tuple[tuple[Cell, ...], tuple[Dropped, ...]]:
    kept, dropped, useful = [], [], set()
    for cell, written in ((w.cell, w.written) for w in wanted):
        values = _values(cell)
        rules = [
            i
            for i, rule in enumerate(spec.exclude)
            if not (written and rule.variables.keys() <= written)
            and matches(rule.variables, values)
        ]
        useful.update(rules)
        if rules:
            rule = str(document.locate(("exclude", rules[0])))
            dropped.append(Dropped(cell.id, rule, spec.exclude[rules[0]].reason))
        else:
            kept.append(cell)
    for i in range(len(spec.exclude)):
        if i not in useful:
            raise document.fault(
                ("exclude", i),
                "this exclusion matches no cell",
                hint="correct its values, or remove it; `inv cells` lists what there is",
            )
    return tuple(kept), tuple(dropped)


def _values(cell: Cell) -> dict[str, Scalar]:
    """What an exclusion may speak of."""
    return {
        "name": cell.id.removesuffix(f".{cell.model}"),
        "stack": cell.stack,
        "toolchain": cell.toolchain,
        "model": cell.model,
        **dict(cell.options),
    }


def _devices(spec: MatrixSpec) -> dict[str, BoardAddress]:
    return {
        name: BoardAddress(
            name=name,
            **device.model_dump(exclude={"power"}),
            power=_meter(device.power),
            cycle=device.power.cycle if device.power else "",
        )
        for name, device in spec.devices.items()
    }


def _meter(power: PowerSpec | None) -> Meter | None:
    return Meter(power.command, power.measures) if power and power.command else None


def _grouped(document: Document, spec: MatrixSpec) -> None:
    """A group has members, and no name that a device has; the night's device is one."""
    known = listed(spec.devices)
    for name, members in spec.groups.items():
        if name in spec.devices:
            raise document.fault(("groups", name), f"'{name}' is a device already")
        for i, glob in enumerate(members):
            if not any(fits(device, glob) for device in spec.devices):
                raise document.fault(
                    ("groups", name, i), f"'{glob}' fits no device", hint=f"devices: {known}"
                )
    if spec.nightly.device and spec.nightly.device not in spec.devices:
        near = did_you_mean(spec.nightly.device, [*spec.devices])
        raise document.fault(
            ("nightly", "device"),
            f"'{spec.nightly.device}' is no device{near}",
            hint=f"devices: {known}",
        )
