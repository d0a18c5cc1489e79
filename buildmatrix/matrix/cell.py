"""One combination of variables as a cell: a recipe, a toolchain, and the options that count."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import did_you_mean
from buildmatrix.matrix.spec import CELL_ID, listed
from buildmatrix.nouns import Cell, Scalar
from buildmatrix.recipe import ARCHITECTURE, OptionSpec, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.deciding import Deciding
    from buildmatrix.faults import Position
    from buildmatrix.schema import Document
    from buildmatrix.toolchain import Toolchain

LONGEST_ID = 120  # characters: file names and container names are made of it


@dataclass(frozen=True, slots=True)
class Known:
    """What the matrix may name."""

    recipes: Mapping[str, Recipe]
    toolchains: Mapping[str, Toolchain]
    deciding: Deciding


def cell_of(
    document: Document, variables: dict[str, Scalar], at: Position, name: str, known: Known
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
                brief = f"{stack} does not use '{option}'{near}; it uses: {listed(used)}"
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


def _named(
    document: Document, variables: dict[str, Scalar], kind: str, at: Position, allowed: list[str]
) -> str:
    value = variables.get(kind)
    if value is None:
        raise document.fault(
            at, f"no {kind} here", hint=f"add `{kind}:`; there are: {listed(allowed)}"
        )
    if value not in allowed:
        near = did_you_mean(value, allowed)
        place: Position = (*at, kind) if at[0] == "include" else ("axes", kind)
        if place not in document.places:
            place = (kind,) if (kind,) in document.places else at
        raise document.fault(place, f"no {kind} '{value}'{near}; there are: {listed(allowed)}")
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
        brief = f"'{option}' cannot be '{value}'{near}; allowed: {listed(spec.choices)}"
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
        brief = f"name: {error} is not a variable of this cell; there are: {listed(shown)}"
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
