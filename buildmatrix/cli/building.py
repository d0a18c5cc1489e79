"""cells, plan, build, why, sources: from the matrix to bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import (
    print_json,
    print_table,
    progress,
    question,
    say,
    workers,
    workshop,
)
from buildmatrix.errors import AuditError, BuildError
from buildmatrix.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.documents.building import Build, EndedCell, ExplainedRow, ReproducedRow
    from buildmatrix.pipeline.making import Outcome


SUPPLY = "`inv sources` says how to supply what is out of reach"
TAKERS = "`inv cells` says which stacks of the matrix take the model"
AT_ONCE = {
    "jobs": "cores for compiles (default: the machine's)",
    "works": "works at once (default: by cores and memory); 1: one after the other",
}


@command(iterable=["only"])
def cells(
    _c: Any, matrix: str = "matrix.yaml", only: Any = None, json: bool = False, state: str = ""
) -> None:
    """Expand the matrix: the cells kept, and those dropped with the rule that dropped them."""
    from buildmatrix.pipeline.documents import cells_document

    with progress() as reporter:
        document = cells_document(workshop(matrix, None, state, reporter), only=tuple(only or ()))
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import building_view

        print_table(building_view.cells(document))


@command(AT_ONCE, iterable=["only"])
def plan(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    jobs: int = 0,
    works: int = 0,
    json: bool = False,
    state: str = "",
) -> None:
    """Say what a build would run, why, in which order, how long it takes, and what it waits for."""
    from buildmatrix.pipeline.documents import plan_document
    from buildmatrix.pipeline.planning import plan_all

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter, jobs=jobs, works=works)
        document = plan_document(shop, plan_all(shop))
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import building_view

        print_table(building_view.plan(document))


@command(
    {
        **AT_ONCE,
        "fail-fast": "begin nothing after the first failed action",
        "frozen": "make nothing: exit 9 and list what is missing",
        "executor": "dask://HOST:8786: compile on the workers of a Dask scheduler",
        "twice": "make all again, elsewhere and uncached, and compare; exit 4 if bytes differ",
        "archives": "folder of source archives, looked into before downloading",
        "mirror": "the same, as it was called before",
    },
    iterable=["only"],
)
def build(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    jobs: int = 0,
    works: int = 0,
    fail_fast: bool = False,
    frozen: bool = False,
    archives: str = "",
    mirror: str = "",
    executor: str = "",
    twice: bool = False,
    json: bool = False,
    state: str = "",
) -> None:
    """Build, bundle and audit what is missing; a failed cell does not stop the others."""
    folder = archives or mirror
    words = {"only": list(only or ()), "jobs": jobs, "works": works}
    asked = None if folder or executor or twice else question(matrix, state, words)
    document = asked.answer() if asked else None
    if document is not None:
        _show(document, json)
        return
    from buildmatrix.pipeline import answered
    from buildmatrix.pipeline.documents import build_document, reproduced_rows
    from buildmatrix.pipeline.perform import build_all

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter, jobs=jobs, works=works, archives=folder)
        with workers(shop, executor):
            outcomes = build_all(shop, fail_fast=fail_fast, frozen=frozen)
        document = build_document(shop, outcomes)
        if twice:
            from buildmatrix.pipeline.reproducing import reproduce_all

            document["reproduced"] = reproduced_rows(reproduce_all(shop))
    if asked and not reporter.told:
        answered.keep(asked, shop, outcomes, document)
    _show(document, json)
    _fail_for(outcomes)
    _fail_for_missing(document["cells"], only or (), reached_by(outcomes))
    _fail_for_unlike(document.get("reproduced", ()))


def _show(document: Build, json: bool) -> None:
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import building_view

        print_table(building_view.build(document))


def _fail_for(outcomes: Sequence[Outcome]) -> None:
    """Exit by the worst thing found. A source out of reach is reported, not a failure."""
    failed = [o for o in outcomes if o.state == "failed"]
    roots = [o for o in failed if not o.fault]
    named = ", ".join(o.action.id for o in roots)
    if any(o.exit_code != AuditError.exit_code for o in failed):
        raise BuildError(f"failed: {named}", hint=_way_on(roots))
    if failed:
        hint = f"`inv audit {roots[0].action.cell}` shows the files and what each finding means"
        raise AuditError(f"findings forbid shipping: {named}", hint=hint)


def _way_on(failed: Sequence[Outcome]) -> str:
    """Where to look after works failed; only what ran in a container has a log to be read."""
    from buildmatrix.nouns import Stage

    for one in failed:
        match one.action.stage:
            case Stage.BUILD | Stage.RUNNER:
                opened = f"`inv shell {one.action.cell}` opens its container"
                return f"the messages above name the logs; {opened}"
            case Stage.IMAGE:
                return "`inv doctor` says whether this machine has all that building needs"
            case Stage.SOURCE:
                return f"`inv sources --only {one.action.cell}` says where each may come from"
            case Stage.MODEL | Stage.BUNDLE | Stage.AUDIT:
                continue
    return ""


def reached_by(outcomes: Sequence[Outcome]) -> str:
    """What helps where cells are out of reach, for want of sources or of words for their model."""
    from buildmatrix.nouns import Stage

    gone = {one.action.stage for one in outcomes if one.state == "unavailable" and not one.fault}
    helps = {Stage.SOURCE: SUPPLY, Stage.MODEL: TAKERS}
    return "; ".join(words for stage, words in helps.items() if stage in gone)


def _fail_for_missing(cells: Sequence[EndedCell], only: Sequence[str], hint: str) -> None:
    """A cell that was asked for by its name and is not built is no success, and neither is a matrix
    of which nothing is: CI would be green."""
    missing = [c for c in cells if c["state"] == "unavailable" and (c["id"] in only)]
    if cells and all(c["state"] == "unavailable" for c in cells):
        if not only:
            raise BuildError("no cell is built: what they need is out of reach", hint=hint)
        missing = list(cells)
    if missing:
        raise BuildError(
            f"asked for and not built: {', '.join(c['id'] for c in missing)}",
            details="\n".join(f"{c['id']}: {c['cause']}" for c in missing),
            hint=hint,
        )


def _fail_for_unlike(reproduced: Iterable[ReproducedRow]) -> None:
    unlike = [row for row in reproduced if row["difference"]]
    if unlike:
        raise BuildError(
            f"made again, not the same: {', '.join(row['id'] for row in unlike)}",
            hint="look for times, paths, the number of jobs and the order of files in its script",
        )


@command({"cell": "a cell id, as `cells` lists them"}, positional=["cell"])
def why(
    _c: Any, cell: str, matrix: str = "matrix.yaml", json: bool = False, state: str = ""
) -> None:
    """Say all that changed in a cell against what is stored: values, lines, what follows."""
    from buildmatrix.pipeline.explaining import why_document

    with progress() as reporter:
        document = why_document(workshop(matrix, [cell], state, reporter))
    if json:
        print_json(document)
    elif document["actions"]:
        say("\n".join(map(explained, document["actions"])))
    else:
        say(f"{cell}: nothing changed, all of it is stored")


def explained(action: ExplainedRow) -> str:
    """An action and its changes below it; without any, the reason that the plan has."""
    rows = [f"{action['verb']} {action['id']}"]
    for change in action["changes"]:
        rows += [f"    {change['words']}", *(f"      {line}" for line in change["lines"])]
    return printable("\n".join(rows if action["changes"] else [*rows, f"    {action['reason']}"]))


@command(
    {
        "verify": "read what is held again: hash, tree, and the signature where there is one",
        "archives": "folder that gets a file of every source, for `inv build --archives`",
        "mirror": "the same, as it was called before",
    },
    iterable=["only"],
)
def sources(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    verify: bool = False,
    archives: str = "",
    mirror: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """List the sources: held, out of reach and how to supply them; verify; copy the archives."""
    from buildmatrix.pipeline import sourcing

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        now = sourcing.standings(shop)
        if verify:
            now = sourcing.verify(shop, now)
        if archives or mirror:
            now = sourcing.copy_archives(shop, now, Path(archives or mirror))
        document = sourcing.sources_document(shop, now)
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import building_view

        print_table(building_view.sources(document))
    damaged = [row["source"] for row in document["sources"] if row["state"] == "damaged"]
    if damaged:
        raise BuildError(f"damaged: {', '.join(damaged)}", hint="run `inv build` to fetch them")
    forged = [row["source"] for row in document["sources"] if row["state"] == "badly signed"]
    if forged:
        raise BuildError(
            f"badly signed: {', '.join(forged)}",
            hint="find out who made the pinned file before it is built",
        )


TASKS = (cells, plan, build, why, sources)
