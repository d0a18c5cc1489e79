"""Pages with boards of made-up figures, hostile words among them, for tests of the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from buildmatrix import page, plots, report, summary
from buildmatrix.nouns import ElfFacts, Finding, Measurement, Severity, Status
from tests.unit.profiles import IM2COL, NEON, PLAIN, kernel, profile
from tests.unit.profiles import row as row_of
from tests.unit.rows import emulated, row

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'&{{ 7*7 }} ]]> -->"
CELLS = {"caffe": 80.0, "caffe-neon": 45.0, "tf-neon": 41.0}
BATCHES = (1, 2, 4)
FACTS = ElfFacts(
    "lib/libopenblas.so.0",
    "EM_ARM",
    "ET_DYN",
    5,
    "hard",
    "v7",
    "VFPv3",
    "NEONv1",
    True,
    "",
    (),
    (),
    "2.34",
    "",
    False,
    70,
)
PROFILES = {
    "caffe": profile("caffe", 83519993.0, kernel(PLAIN), row_of(*IM2COL)),
    "caffe-neon": profile(
        "caffe-neon", 40959234.5, kernel(NEON), row_of("libx.so", HOSTILE, HOSTILE, {"loads": 9e6})
    ),
}


def of_board() -> list[Measurement]:
    """Three cells in six rounds; tf-neon wins from batch 2 on. One ran out of memory, one was
    wrong, one failed with words that no page should act on, one was disturbed once."""
    ended: dict[tuple[str, int], dict[str, Any]] = {
        ("caffe", 4): {"status": Status.OOM, "void_reason": "out of memory; the largest is 2"},
        ("caffe-neon", 4): {"status": Status.WRONG, "void_reason": "off by 4.0e-02"},
    }
    found: list[Measurement] = []
    for turn in range(6):
        for cell, ms in CELLS.items():
            for batch in BATCHES:
                late = 10 if cell == "tf-neon" and batch == 1 else 0
                changes = {"block": len(found), "round": turn, "peak_rss_kib": 40000 + 900 * batch}
                found.append(
                    row(
                        cell,
                        batch,
                        ms + late + turn / 10 - batch,
                        **changes,
                        **ended.get((cell, batch), {}),
                    )
                )
    found[0] = replace(found[0], status=Status.VOID, void_reason=f"throttled {HOSTILE}")
    return found


def of_emulator() -> list[Measurement]:
    counts = {"caffe": 81.5, "caffe-neon": 39.2}
    return [emulated(c, b, 90 - b, m - b / 10) for c, m in counts.items() for b in BATCHES]


def board(measurements: list[Measurement], name: str) -> page.BoardSection:
    rows = summary.rows(measurements)
    (grid,) = report.grids(rows, bound=12.4e6)
    void = tuple(m for m in measurements if m.status is Status.VOID)
    return page.BoardSection(
        name=name,
        grid=grid,
        points=plots.points(rows),
        bound=12.4 if grid.emulated else 2.6,
        void=(*void, replace(void[0], sentinel=True, void_reason="swapped")) if void else (),
        events=(("2026-11-20 19:05:00", f"taken over by {HOSTILE}"),),
        environment=(("model", HOSTILE), ("kernel", "Linux 6.1.21-v7+")),
    )


def content(*boards: page.BoardSection, **changes: Any) -> page.Page:
    names = dict.fromkeys(cell for one in boards for cell in one.grid.cells)
    finding = Finding("BM142", Severity.WARNING, "lib/x.so", HOSTILE, "set HAVE_NEON=1")
    built = (page.Built(c, 29_000_000, (FACTS,), (finding,), (("flags", "-O2"),)) for c in names)
    made = page.Page(
        title="face-cnn on the Pi",
        model="face-cnn: 1,039,744 parameters",
        generated_at="2026-11-21T09:15:02+00:00",
        tool="buildmatrix 0.1.0",
        boards=boards,
        cells=tuple(built),
        study=report.study(),
        footnotes=("A wrong answer publishes no time.",),
    )
    return replace(made, **changes)


def real() -> page.BoardSection:
    return board(of_board(), "pi3, 4 threads")


def virtual() -> page.BoardSection:
    return board(of_emulator(), "virtual, 1 thread")


def hostile() -> page.BoardSection:
    renamed = (replace(m, cell={"tf-neon": HOSTILE}.get(m.cell, m.cell)) for m in of_board())
    return board(list(renamed), HOSTILE)


def profiled(*boards: page.BoardSection) -> page.Page:
    """A page whose cells were profiled; one function has a name that no page should act on."""
    made = content(*boards)
    return replace(
        made, cells=tuple(replace(one, profile=PROFILES.get(one.cell)) for one in made.cells)
    )
