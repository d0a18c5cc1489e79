"""report, agree, compare, nightly: what the numbers say."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import (
    mirror,
    print_json,
    print_table,
    progress,
    say,
    share_board_images,
    workshop,
)
from buildmatrix.cli.devices import HOST, access, board_at, results_of
from buildmatrix.cli.measuring import owner
from buildmatrix.errors import BuildmatrixError, InputError, RegressionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.documents.estimating import Estimates
    from buildmatrix.estimate.model import Setting
    from buildmatrix.nightly import Night
    from buildmatrix.nouns import BoardAddress
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Reporter
    from buildmatrix.verdicts.reporting import RowsWithNotes

FORMATS = ("table", "json", "csv", "markdown", "html")


@command(
    {
        "format": ", ".join(FORMATS),
        "out": "folder to write into: the page, JSON, CSV, Markdown, and the plots as SVG and PNG",
        "against": "study: put the table published in 2017 beside ours",
        "estimated": "a real board that is not here: estimates of it, in a table of their own",
        "threads": "of --estimated: cores that work (default: all that the board has)",
        "layers": "a cell: what each of its layers takes, if `bench --layers` asked it",
        "bundle": "a cell: pack all that is needed to repeat its row elsewhere",
        "host": "only results of this device",
    },
    iterable=["only"],
)
def report(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    model: str = "",
    host: str = "",
    format: str = "table",
    out: str = "",
    against: str = "",
    estimated: str = "",
    threads: int = 0,
    layers: str = "",
    bundle: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """Show the newest results of every cell; emulated ones stand apart and say so."""
    from buildmatrix.verdicts import estimating, publishing, reporting

    if format not in FORMATS:
        raise UsageError(f"no format '{format}'", hint=f"one of {', '.join(FORMATS)}")
    if against not in ("", "study"):
        raise UsageError(f"--against {against} is not known", hint="--against study")
    place = _estimated_on(estimated, threads, alone=bool(layers or bundle or format == "csv"))
    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter, model=model)
        device = results_of(host, shop)
        measured = reporting.latest(shop, device=device, only=tuple(only or ()))
        guessed = estimating.every(shop, place) if place else None
        if not measured.rows and not against and not guessed:
            raise InputError("no results yet", hint="run `inv bench --collect`")
        if layers:
            measured = reporting.of_cell(measured, layers)
        if bundle:
            packed = publishing.repeatable(shop, measured, bundle, Path(out or "."))
            say(f"{packed.path}  {packed.size / 1e6:.1f} MB\non a board: {packed.command}")
            return
        if out:
            written = publishing.write(
                shop, measured, Path(out), study=bool(against), estimated=guessed
            )
            say(f"written: {out}/ {', '.join(written)}")
            return
    form = "json" if json else format
    _show(shop, measured, guessed, form, layers=bool(layers), study=bool(against))


def _show(
    shop: Workshop,
    measured: RowsWithNotes,
    guessed: Estimates | None,
    format: str,
    *,
    layers: bool,
    study: bool,
) -> None:
    """On standard output, in a format of FORMATS; of layers there is a table alone, or JSON."""
    from buildmatrix.verdicts import publishing

    if format == "json":
        print_json(publishing.document(shop, measured, estimated=guessed))
    elif layers:
        print_table(publishing.layers(measured))
    elif format == "table":
        print_table(publishing.table(shop, measured, study=study))
        if guessed:
            print_table(publishing.estimates(guessed))
    else:
        told = publishing.text(shop, measured, format, study=study, estimated=guessed)
        say(told.rstrip("\n"))


def _estimated_on(board: str, threads: int, *, alone: bool) -> Setting | None:
    """The board that is asked for with --estimated; None where none is. `alone`: what is asked for
    has no room for estimates."""
    from buildmatrix.estimate import shown

    if not board:
        if threads:
            raise UsageError("--threads is of estimates", hint="--estimated BOARD --threads N")
        return None
    if alone:
        raise UsageError(
            "--estimated has no place among measured rows: CSV, --layers and --bundle",
            hint="leave one of them out",
        )
    return shown.setting(board, threads)


@command({"host": "only results of this device"}, iterable=["only"])
def agree(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    model: str = "",
    host: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """Hold every cell's output against every other's and the right one: worst, and where."""
    from buildmatrix.verdicts import agreeing, reporting

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter, model=model)
        device = results_of(host, shop)
        measured = reporting.latest(shop, device=device, only=tuple(only or ()))
        agreed = agreeing.agreement(shop, measured)
        document = agreeing.agreement_document(agreed, model=shop.project.network.name)
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import verdicts_view

        print_table(verdicts_view.agreement(document, agreed.words()))


@command(
    {
        "base": "a run's id or its beginning, 'latest', 'previous', or a cell",
        "new": "what is judged against it, likewise",
        "host": "'latest' and 'previous' of this device",
    },
    positional=["base", "new"],
    iterable=["only"],
)
def compare(
    _c: Any,
    base: str,
    new: str,
    matrix: str = "matrix.yaml",
    only: Any = None,
    model: str = "",
    host: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """Say what got better, worse, or stayed the same between two runs, or two cells. Exit 8."""
    from buildmatrix.verdicts import comparing

    with progress() as reporter:
        shop = workshop(matrix, None, state, reporter, model=model)
        device = results_of(host, shop)
        compared = comparing.compared(shop, base, new, device=device, only=tuple(only or ()))
    if json:
        print_json(comparing.document(compared))
    else:
        from buildmatrix.cli import verdicts_view

        print_table(verdicts_view.comparison(comparing.document(compared)))
    worse = comparing.regressions(compared)
    if worse:
        raise RegressionError(
            f"{len(worse)} of {len(compared.comparisons)} figures got worse",
            details="\n".join(worse),
        )


@command(
    {
        **HOST,
        "host": "the board (default: the matrix's nightly device, else a virtual one of its own)",
        "out": "folder for the report (default: in the state folder, nights/ID)",
        "keep_toolchains": "take the toolchain images as they are, not from nothing",
        "accept": "a regression found tonight becomes what the next night is compared with",
    },
    iterable=["only"],
)
def nightly(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    host: str = "",
    out: str = "",
    keep_toolchains: bool = False,
    accept: bool = False,
    json: bool = False,
    state: str = "",
) -> None:
    """Toolchains from nothing, matrix rebuilt, measured, compared with the last good night."""
    from buildmatrix import nightly as nights

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        share_board_images(matrix, state)
        with _board_for_the_night(shop, host, matrix, reporter) as board:
            night = nights.nightly(
                shop,
                board,
                nights.settings(shop),
                owner=owner(),
                access=access(shop.state),
                rebuild=not keep_toolchains,
            )
        folder = nights.keep(shop, night, accept=accept, out=Path(out) if out else None)
    if json:
        print_json(nights.document(night))
    else:
        from buildmatrix.cli import verdicts_view

        print_table(verdicts_view.night(nights.document(night)))
        say(f"written: {folder}")
    _end(night)


@contextmanager
def _board_for_the_night(
    shop: Workshop, host: str, matrix: str, reporter: Reporter
) -> Iterator[Callable[[], BoardAddress]]:
    """The board named, or the matrix's; else a virtual one, there while it is needed."""
    from buildmatrix import virtual

    chosen = host or shop.project.matrix.nightly.device
    if chosen:
        yield lambda: board_at(chosen, matrix, str(shop.state), shop)
        return
    try:
        yield lambda: virtual.up(
            shop.state, name="nightly", kind="pi3-counted", mirror=mirror(), reporter=reporter
        )
    finally:
        virtual.down(shop.state, name="nightly")


def _end(night: Night) -> None:
    """Exit by the earliest stage that went wrong, naming all."""
    if not night.troubles:
        return
    kinds = {kind.exit_code: kind for kind in BuildmatrixError.__subclasses__()}
    words = [trouble.words for trouble in night.troubles]
    raise kinds.get(night.code, BuildmatrixError)(
        f"the night found {len(words)} troubles" if len(words) > 1 else "the night found trouble",
        details="\n".join(words),
    )


TASKS = (report, agree, compare, nightly)
