"""bisect: which of several versions of a source is the first that is worse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from buildmatrix.cli import run_flags
from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, progress, say, workshop
from buildmatrix.cli.devices import HOST, access, board_at
from buildmatrix.cli.measuring import owner
from buildmatrix.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.bisecting import Bisected
    from buildmatrix.cli.run_flags import Given
    from buildmatrix.nouns import Cell, Scalar
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.recipe import OptionSpec

SETTINGS = ("batches", "rounds", "passes", "warmup", "threads")


@command(
    {
        **HOST,
        "cell": "the cell whose figures moved",
        "good": "a version with which it was good",
        "bad": "a version with which it is worse",
        "source": "the option of the cell that names the version: openblas",
        "versions": "all versions in order, commas between (default: as the recipe lists them)",
        **run_flags.explained(SETTINGS),
    },
    positional=["cell", "good", "bad"],
)
@run_flags.with_flags(SETTINGS)
def bisect(
    _c: Any,
    cell: str,
    good: str,
    bad: str,
    source: str = "",
    versions: str = "",
    host: str = "",
    matrix: str = "matrix.yaml",
    given: Given = run_flags.NONE,
    json: bool = False,
    state: str = "",
) -> None:
    """Find the first version that is worse: build, deploy, measure, halve; resumable."""
    from buildmatrix import bisecting

    with progress() as reporter:
        plain = workshop(matrix, [cell], state, reporter)
        (base,) = plain.project.cells
        option = _option(plain, base, source)
        names = _between(versions, option, good, bad)
        cells = {one: _id(base.id, one) for one in names}
        include = [_written(base, cells[one], source, _value(option, one)) for one in names]
        shop = workshop(matrix, list(cells.values()), state, reporter, include=include)
        board = board_at(host, matrix, state, shop)
        settings = shop.project.matrix.bench.overruled(given)
        bench = bisecting.OnBoard(shop, board, cells, settings, owner(), access(shop.state))
        asked = bisecting.Asked(base.id, source, names, base.model, board.name)
        bisected = bisecting.bisect(asked, bench, folder=shop.paths.bisects, reporter=reporter)
    if json:
        print_json(bisecting.document(asked, bisected))
    else:
        say(_words(source, bisected))


def _option(shop: Workshop, cell: Cell, source: str) -> OptionSpec:
    from buildmatrix.recipe import used_options

    recipes = shop.project.recipes
    options = used_options(recipes[cell.stack], recipes)
    if source not in options:
        near = did_you_mean(source, [*options])
        brief = f"--source {source or '(missing)'}: no option of {cell.id}{near}"
        raise UsageError(brief, hint=f"its options: {', '.join(options)}")
    return options[source]


def _between(versions: str, option: OptionSpec, good: str, bad: str) -> tuple[str, ...]:
    """From the good version to the bad one. Raises UsageError where these are not two ends."""
    listed = [one.strip() for one in versions.split(",") if one.strip()]
    names = listed or [str(one) for one in option.choices]
    for one in (good, bad):
        if one not in names:
            known = ", ".join(names) or "none: name them with --versions"
            raise UsageError(f"{one} is none of the versions", hint=f"they are: {known}")
    first, last = names.index(good), names.index(bad)
    chosen = names[first : last + 1] if first < last else names[last : first + 1][::-1]
    if len(chosen) < 3:
        raise UsageError(
            f"there is nothing between {good} and {bad}",
            hint="compare a cell of each: `inv compare BASE NEW`",
        )
    return tuple(chosen)


def _id(cell: str, version: str) -> str:
    return f"{cell}+{re.sub(r'[^A-Za-z0-9._-]', '_', version)}"


def _written(cell: Cell, name: str, source: str, version: Scalar) -> Mapping[str, Scalar]:
    """The cell in that version, as matrix.yaml would include it."""
    options = dict(cell.options) | {source: version}
    return {"name": name, "stack": cell.stack, "toolchain": cell.toolchain, **options}


def _value(option: OptionSpec, text: str) -> Scalar:
    match option.type:
        case "integer":
            return int(text) if text.isdecimal() else text
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case _:
            return text


def _words(source: str, bisected: Bisected) -> str:
    lines = [f"{one.version}: {one.word}; {one.sentence} (run {one.run})" for one in bisected.taken]
    first, last = bisected.first_bad, bisected.last_good
    end = f"{source} {first} is the first that is worse; {last} is the last good"
    if bisected.unclear:
        end += f"; nothing can be said of {', '.join(bisected.unclear)}"
    count = bisected.measurements
    return "\n".join([*lines, f"{end}; {count} measurement{'s' if count > 1 else ''}"])


TASKS = (bisect,)
