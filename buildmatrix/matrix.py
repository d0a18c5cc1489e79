"""matrix.yaml: axes, inclusions and exclusions, expanded into cells. Pure.

A combination becomes a cell; only the options that its recipe uses count, so combinations that
differ in nothing the recipe uses are one cell. What an exclusion drops is kept with its reason.
Nothing that was written vanishes without a word: an included cell stands as it is written, also
beside a combination with the same options, and an axis that no stack uses is an error.
"""

from __future__ import annotations

import itertools
import re
import string
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from buildmatrix.deciding import Deciding
from buildmatrix.errors import InputError, did_you_mean
from buildmatrix.nouns import BoardAddress, Cell, Dropped, Scalar
from buildmatrix.recipe import ARCHITECTURE, OptionSpec, Recipe
from buildmatrix.schema import Document, Position, Spec
from buildmatrix.selector import Value, Values, matches
from buildmatrix.settings import NightlySpec, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from buildmatrix.toolchain import Toolchain

LONGEST_ID = 120  # characters: file names and container names are made of it
CELL_ID = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # safe as a file name here and on the board


_Decided = tuple[str, str, tuple[tuple[str, Scalar], ...]]  # stack, toolchain, options


class Open(BaseModel):
    """An entry whose other keys are variables."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    @property
    def variables(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class IncludeSpec(Open):
    """One more cell: its name and every variable it needs."""

    # Said by `_combinations`, in a sentence; an editor is told by the schema.
    model_config = ConfigDict(json_schema_extra={"required": ["name"]})

    __pydantic_extra__: dict[str, Value]
    name: str = Field("", description="the cell's id; an include is a whole cell")


class ExcludeSpec(Open):
    """Drops the combinations that it matches. Lists and globs; a reason is a must."""

    __pydantic_extra__: dict[str, Values]
    reason: Annotated[str, Field(min_length=1)]


class BenchSpec(Settings):
    """Which models are measured, and how; nothing here ever rebuilds anything."""

    model: str | Annotated[list[str], Field(min_length=1)] = Field(
        default="face-cnn", description="folders of models/; cells of a second one end in its name"
    )

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.model] if isinstance(self.model, str) else self.model))


class DeviceSpec(Spec):
    """A board and how its host key is pinned."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535, description="0: as ~/.ssh/config, else 22")] = 0
    user: str = Field("", description="empty: as ~/.ssh/config, else pi")
    host_key: Annotated[str, Field(pattern=r"^(SHA256:[A-Za-z0-9+/]{43})?$")] = ""
    identity_file: str = ""
    quota_mib: Annotated[
        int, Field(ge=0, description="MiB that deploys may use there; 0: no limit")
    ] = 0


class MatrixSpec(Spec):
    """matrix.yaml"""

    version: Literal[1]
    axes: dict[str, Annotated[list[Value], Field(min_length=1)]] = {}
    zip: list[dict[str, Annotated[list[Value], Field(min_length=1)]]] = Field(
        [], description="linked axes: the lists of one entry advance together"
    )
    name: str = Field("{stack}", description="cell id; {axis} stands for its value")
    toolchain: str | list[str] | None = None
    include: list[IncludeSpec] = []
    exclude: list[ExcludeSpec] = []
    bench: BenchSpec = BenchSpec()
    nightly: NightlySpec = NightlySpec()
    devices: dict[Annotated[str, Field(pattern=CELL_ID)], DeviceSpec] = {}
    groups: dict[
        Annotated[str, Field(pattern=CELL_ID)], Annotated[list[str], Field(min_length=1)]
    ] = Field({}, description="names for several devices, by name or glob")


@dataclass(frozen=True, slots=True)
class Matrix:
    """The expanded matrix."""

    cells: tuple[Cell, ...]
    dropped: tuple[Dropped, ...]
    bench: BenchSpec
    nightly: NightlySpec
    devices: Mapping[str, BoardAddress]
    groups: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A cell, and what its own include says of it: no exclusion takes that back."""

    cell: Cell
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Known:
    """What the matrix may name."""

    recipes: Mapping[str, Recipe]
    toolchains: Mapping[str, Toolchain]
    deciding: Deciding


def expand(
    document: Document, recipes: Mapping[str, Recipe], toolchains: Mapping[str, Toolchain]
) -> Matrix:
    """All cells, kept and dropped. Raises InputError at the place of the first fault."""
    spec = document.build(MatrixSpec)
    _written_once(document, spec)
    _linked_lengths(document, spec)
    known = _Known(recipes, toolchains, Deciding(recipes))
    wanted: dict[tuple[_Decided, str], _Wanted] = {}
    for variables, at, name in _combinations(document, spec):
        cell = _cell(document, variables, at, name, known)
        decided = (cell.stack, cell.toolchain, cell.options)
        if at[0] == "include":
            written = frozenset(spec.include[int(at[1])].variables)
            same = wanted.get((decided, ""))  # the combination that it is, if it has its name too
            key = (decided, "" if same and same.cell.id == cell.id else cell.id)
            wanted[key] = _Wanted(cell, written)
        else:
            wanted.setdefault((decided, ""), _Wanted(cell))
    _every_axis_used(document, spec, (one.cell for one in wanted.values()))
    cells = tuple(
        _Wanted(_of_model(w.cell, model, spec), w.written)
        for model in spec.bench.models
        for w in wanted.values()
    )
    _unique(tuple(w.cell for w in cells))
    kept, dropped = _exclude(document, spec, cells)
    _grouped(document, spec)
    return Matrix(kept, dropped, spec.bench, spec.nightly, _devices(spec), spec.groups)


def _written_once(document: Document, spec: MatrixSpec) -> None:
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


def _every_axis_used(document: Document, spec: MatrixSpec, cells: Iterable[Cell]) -> None:
    """An axis that decides nothing is most often a misspelt one."""
    used = {"stack", "toolchain"} | {option for cell in cells for option, _ in cell.options}
    places: list[tuple[Position, str]] = [(("axes", name), name) for name in spec.axes]
    places += [(("zip", i, name), name) for i, group in enumerate(spec.zip) for name in group]
    for at, name in places:
        if name not in used:
            near = did_you_mean(name, sorted(used))
            brief = f"no stack of this matrix uses '{name}'{near}"
            raise document.fault(at, brief, hint=f"axes that are used: {_join(sorted(used))}")


def _linked_lengths(document: Document, spec: MatrixSpec) -> None:
    for i, linked in enumerate(spec.zip):
        lengths = {name: len(values) for name, values in linked.items()}
        if len(set(lengths.values())) > 1:
            shown = _join(f"{name} has {n}" for name, n in lengths.items())
            raise document.fault(("zip", i), f"linked axes must be equally long: {shown}")


def _combinations(
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


def _cell(
    document: Document, variables: dict[str, Scalar], at: Position, name: str, known: _Known
) -> Cell:
    stack = _named(document, variables, "stack", at, sorted(known.recipes))
    toolchain = _named(document, variables, "toolchain", at, sorted(known.toolchains))
    chosen = {k: v for k, v in variables.items() if k not in ("stack", "toolchain")}
    architecture = known.toolchains[toolchain].spec.architecture
    placed = {**chosen, ARCHITECTURE: architecture}
    used = known.deciding.used(known.recipes[stack], placed)
    if at[0] == "include":  # an axis may serve only some stacks; an included cell has no excuse
        for option in chosen:
            if option not in used:
                near = did_you_mean(option, sorted(used))
                brief = f"{stack} does not use '{option}'{near}; it uses: {_join(used)}"
                raise document.fault((*at, option), brief)
    options = {
        option: _value(document, stack, option, spec, chosen, at) for option, spec in used.items()
    }
    shown = {"stack": stack, "toolchain": toolchain, **options}
    return Cell(
        id=_id(document, name, shown, at),
        model="",  # comes last, see `_of_model`
        stack=stack,
        toolchain=toolchain,
        options=tuple(sorted(options.items())),
        where=document.locate(at),
    )


def _of_model(cell: Cell, model: str, spec: MatrixSpec) -> Cell:
    """The cell for one of the models. Those of the first keep the name that they have alone."""
    first = model == spec.bench.models[0]
    identifier = cell.id if first else f"{cell.id}.{model}"
    return Cell(identifier, model, cell.stack, cell.toolchain, cell.options, cell.where)


def _named(
    document: Document, variables: dict[str, Scalar], kind: str, at: Position, allowed: list[str]
) -> str:
    value = variables.get(kind)
    if value is None:
        raise document.fault(
            at, f"no {kind} here", hint=f"add `{kind}:`; there are: {_join(allowed)}"
        )
    if value not in allowed:
        near = did_you_mean(value, allowed)
        place: Position = (*at, kind) if at[0] == "include" else ("axes", kind)
        if place not in document.places:
            place = (kind,) if (kind,) in document.places else at
        raise document.fault(place, f"no {kind} '{value}'{near}; there are: {_join(allowed)}")
    return str(value)


def _value(
    document: Document,
    stack: str,
    option: str,
    spec: OptionSpec,
    chosen: dict[str, Scalar],
    at: Position,
) -> Scalar:
    place = (*at, option)
    value = chosen.get(option, spec.default)
    if value is None:
        raise document.fault(
            at, f"{stack} needs '{option}': {spec.summary}", hint=f"add `{option}:`"
        )
    wanted = {"text": str, "boolean": bool, "integer": int}[spec.type]
    if type(value) is not wanted:
        quotes = ": put it in quotes" if spec.type == "text" else ""
        raise document.fault(place, f"'{option}' must be {spec.type}, not {value!r}{quotes}")
    if spec.choices and value not in spec.choices:
        near = did_you_mean(value, [str(c) for c in spec.choices])
        brief = f"'{option}' cannot be '{value}'{near}; allowed: {_join(spec.choices)}"
        raise document.fault(place, brief)
    return value


def _id(document: Document, name: str, shown: dict[str, Scalar], at: Position) -> str:
    place: Position = (*at, "name") if at[0] == "include" else ("name",)
    parts: list[str] = []
    try:
        for text, field, layout, conversion in string.Formatter().parse(name):
            parts.append(text)
            if layout or conversion:
                raise ValueError(f"{{{field}}} takes no layout here")
            if field is not None:
                parts.append(_word(shown[field]))
    except KeyError as error:
        brief = f"name: {error} is not a variable of this cell; there are: {_join(shown)}"
        raise document.fault(place, brief) from None
    except ValueError as error:
        raise document.fault(place, f"name: {error}") from None
    identifier = "".join(parts)
    if len(identifier) > LONGEST_ID:
        raise document.fault(place, f"a cell id of {len(identifier)} characters is too long")
    if not re.match(CELL_ID, identifier):
        raise document.fault(place, f"'{identifier}' is no cell id: use letters, digits, . _ + -")
    return identifier


def _word(value: Scalar) -> str:
    """A value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


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
        values = {
            "name": cell.id.removesuffix(f".{cell.model}"),
            "stack": cell.stack,
            "toolchain": cell.toolchain,
            "model": cell.model,
        }
        rules = [
            i
            for i, rule in enumerate(spec.exclude)
            if not (written and rule.variables.keys() <= written)
            and matches(rule.variables, {**values, **dict(cell.options)})
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


def _devices(spec: MatrixSpec) -> dict[str, BoardAddress]:
    return {
        name: BoardAddress(name=name, **device.model_dump())
        for name, device in spec.devices.items()
    }


def _grouped(document: Document, spec: MatrixSpec) -> None:
    """A group has members, and no name that a device has; the night's device is one."""
    known = _join(spec.devices)
    for name, members in spec.groups.items():
        if name in spec.devices:
            raise document.fault(("groups", name), f"'{name}' is a device already")
        for i, glob in enumerate(members):
            if not any(fnmatchcase(device, glob) for device in spec.devices):
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


def _join(words: Iterable[object]) -> str:
    return ", ".join(str(w) for w in words) or "none"
