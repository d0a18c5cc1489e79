"""What matrix.yaml says that comes to nothing: values of axes and of exclusions, a toolchain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix.matrix.spec import listed
from buildmatrix.selector import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from buildmatrix.errors import Location
    from buildmatrix.faults import Position
    from buildmatrix.matrix.spec import MatrixSpec
    from buildmatrix.nouns import Cell, Scalar
    from buildmatrix.schema import Document

_Value = tuple[str, type, "Scalar"]  # of a variable; `true` is not 1


@dataclass(frozen=True, slots=True)
class Idle:
    """Something that is written and has no part in any cell: where it stands, and what it is."""

    where: Location
    brief: str

    def __str__(self) -> str:
        return f"{self.where}: {self.brief}"


@dataclass
class Served:
    """Which values of axes came to a cell of theirs."""

    values: set[_Value] = field(default_factory=set)

    def add(self, variables: Mapping[str, Scalar], cell: Cell) -> None:
        """Note what a combination gave to the cell that it is."""
        used = {"stack", "toolchain", *dict(cell.options)}
        self.values |= {(n, type(v), v) for n, v in variables.items() if n in used}

    def idle(self, document: Document, spec: MatrixSpec) -> Iterator[Idle]:
        """The values of axes that no combination uses: their stacks have no such option there."""
        places: list[tuple[Position, Sequence[Scalar]]] = [
            (("axes", name), values) for name, values in spec.axes.items()
        ]
        for i, linked in enumerate(spec.zip):
            places += [(("zip", i, name), values) for name, values in linked.items()]
        for at, values in places:
            name = str(at[-1])
            idle = [v for v in values if (name, type(v), v) not in self.values]
            if idle:
                words = listed(map(repr, dict.fromkeys(idle)))
                yield Idle(document.locate(at), f"no cell of the axes uses '{name}' {words}")


def idle_toolchains(document: Document, spec: MatrixSpec, cells: Iterable[Cell]) -> Iterator[Idle]:
    """The toolchains under `toolchain` that no cell is built with."""
    used = {cell.toolchain for cell in cells}
    written = spec.toolchain if isinstance(spec.toolchain, list) else [spec.toolchain]
    for i, name in enumerate(written):
        if name is not None and name not in used:
            where = document.locate(("toolchain", i))
            yield Idle(where, f"no cell is built with toolchain '{name}': each names its own")


def idle_exclusions(
    document: Document, spec: MatrixSpec, cells: Sequence[Mapping[str, Scalar]]
) -> Iterator[Idle]:
    """The values in lists of an exclusion that match no cell, though others of the list do."""
    for i, rule in enumerate(spec.exclude):
        for name, values in rule.variables.items():
            for place, value in enumerate(values if isinstance(values, list) else ()):
                alone = {**rule.variables, name: value}
                if not any(matches(alone, cell) for cell in cells):
                    where = document.locate(("exclude", i, name, place))
                    yield Idle(where, f"{value!r} of this exclusion matches no cell")


def said_once(document: Document, spec: MatrixSpec) -> None:
    """Raise InputError at an exclusion that names nothing, or that stands there already."""
    seen: dict[str, int] = {}
    for i, rule in enumerate(spec.exclude):
        if not rule.variables:
            raise document.fault(
                ("exclude", i),
                "this exclusion names nothing, so it would drop every cell",
                hint="add the values that it is about, as `stack: NAME`",
            )
        first = seen.setdefault(repr(sorted(rule.variables.items())), i)
        if first != i:
            other = document.locate(("exclude", first))
            raise document.fault(("exclude", i), f"this exclusion is the one at {other} again")
