"""Charts: what they say, that they say 'emulated', and that everyone can tell the cells apart."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import page, plots, summary
from buildmatrix.nouns import Measurement, Status
from buildmatrix.plots.chart import apart, ticks
from buildmatrix.plots.pareto import Place, front
from tests.unit.rows import emulated, row

HOSTILE = "</script><b>'\"\\ ]]> {{x}} ☠"
SIZES = {"caffe": 29_000_000, "tf": 61_000_000, HOSTILE: 29_000_001}


def chart(**changes: Any) -> plots.Chart:
    """Three cells on a board; one has no figure at batch 2."""
    points = (
        plots.Point("caffe", 1, 80.0, (78.0, 82.5), 5, 40960),
        plots.Point("caffe", 2, 70.0, (69.0, 71.0), 5, 51200),
        plots.Point("caffe", 4, 65.0, (64.0, 66.0), 5, 61440),
        plots.Point("tf", 1, 60.0, None, 2, 90000),
        plots.Point("tf", 4, 41.0, None, 2, None),
        plots.Point(HOSTILE, 4, 300.0),
    )
    made = plots.Chart("pi3, 4 threads", False, points, (1, 2, 4), ("tf", "caffe", HOSTILE), 2.6)
    return replace(made, **changes)


def study() -> tuple[plots.Point, ...]:
    return tuple(plots.Point(cell, 8, ms) for cell, ms in (("caffe", 65.98), ("dl", 65.9)))


def all_specs(of: plots.Chart) -> dict[str, plots.Spec]:
    beside = () if of.emulated else study()
    at = of.batches[-1]
    fronts = {
        against: plots.pareto(of, against=against, sizes=SIZES, batch=at) for against in plots.AXES
    }
    return {
        "linear": plots.lines(of, study=beside),
        "log": plots.lines(of, logarithmic=True, study=beside),
        **fronts,
    }


def layers(spec: plots.Spec, mark: str) -> list[plots.Spec]:
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == mark]


def test_rows_become_points_in_the_unit_that_counts() -> None:
    blocks = [
        row("caffe", 2, ms, block=n) for n, ms in enumerate((50.0, 50.5, 51.0, 51.0, 51.5, 52.0))
    ]
    wrong = row("tf", 2, 40, status=Status.WRONG)
    virtual = emulated("caffe", 4, 390, 81.5)
    uncounted = replace(virtual, cell="tf", instructions=None)
    found = plots.points(summary.rows([*blocks, wrong, virtual, uncounted]))
    assert [(p.cell, p.batch, round(p.figure, 6), p.blocks) for p in found] == [
        ("caffe", 2, 51.0, 6),
        ("caffe", 4, 81.5, 1),
    ]
    (low, high), peak = found[0].interval or (0, 0), found[0].peak_kib
    assert 50 <= low < 51 < high <= 52
    assert (found[1].interval, peak) == (None, 40000)


def test_lines_show_each_cell_at_each_batch_size_and_break_where_there_is_no_figure() -> None:
    spec = plots.lines(chart())
    told = {(v["cell"], v["batch"]): v["figure"] for v in spec["data"]["values"]}
    assert len(told) == 9
    assert (told["caffe", 2], told["tf", 2]) == (70.0, None)
    drawn = layers(spec, "line")
    assert [layer["transform"][0]["filter"]["equal"] for layer in drawn] == ["caffe", "tf", HOSTILE]
    x = drawn[0]["encoding"]["x"]
    assert (x["scale"]["type"], x["scale"]["base"], x["axis"]["values"]) == ("log", 2, [1, 2, 4])
    y = drawn[0]["encoding"]["y"]
    assert (y["title"], y["scale"]["type"], y["scale"]["domain"][0]) == ("ms an image", "linear", 0)
    assert layers(spec, "errorbar")
    assert layers(spec, "text")[0]["data"]["values"][0]["told"] == "direct convolution: 2.6"


def test_calls_of_a_library_are_plotted_as_calls() -> None:
    for drawn in (chart(per="a call"), chart(per="a call", emulated=True)):
        text = json.dumps(all_specs(drawn))
        assert drawn.unit in text
        assert "a call" in drawn.unit
        assert "an image" not in drawn.unit


def test_the_logarithmic_axis_holds_every_figure_interval_and_bound() -> None:
    y = layers(plots.lines(chart(), logarithmic=True), "line")[0]["encoding"]["y"]
    low, high = y["scale"]["domain"]
    assert (y["scale"]["type"], low < 2.6, high > 300) == ("log", True, True)


def test_no_interval_and_no_bound_is_no_bar_and_no_rule() -> None:
    bare = chart(bound=None, points=tuple(replace(p, interval=None) for p in chart().points))
    spec = plots.lines(bare)
    assert layers(spec, "errorbar") == layers(spec, "rule") == []
    assert "interval" not in spec["title"]["subtitle"]


def test_a_point_tells_what_stands_behind_it() -> None:
    spec = plots.lines(chart())
    titles = {f["field"]: f["title"] for f in layers(spec, "point")[0]["encoding"]["tooltip"]}
    assert titles == {
        "cell": "cell",
        "batch": "batch",
        "told": "ms an image",
        "interval": "95 % interval",
        "blocks": "blocks",
        "memory": "peak memory",
    }
    first = spec["data"]["values"][0]
    assert [first[field] for field in titles] == [
        "caffe",
        1,
        "80.00",
        "78.00 to 82.50",
        5,
        "40 MiB",
    ]


def test_the_study_is_grey_beside_a_board_and_nowhere_beside_an_emulator() -> None:
    spec = plots.lines(chart(), study=study())
    drawn, ends = layers(spec, "line")[0], layers(spec, "text")[0]["data"]["values"]
    assert drawn["mark"]["color"] == layers(spec, "text")[0]["mark"]["color"]
    assert [value["source"] for value in drawn["data"]["values"]] == ["study of 2017"] * 2
    pixels = 340 / layers(spec, "line")[1]["encoding"]["y"]["scale"]["domain"][1]
    assert abs(ends[0]["figure"] - ends[1]["figure"]) * pixels >= 12 - 1e-6  # names do not overlap
    with pytest.raises(ValueError, match="no place beside emulated"):
        plots.lines(chart(emulated=True), study=study())


@pytest.mark.parametrize("kind", ["linear", "log", "bundle", "memory"])
def test_every_emulated_chart_says_so_and_shows_no_time(kind: str) -> None:
    spec = all_specs(chart(emulated=True))[kind]
    axis = spec["layer"][-1]["encoding"]["y"]["title"]
    assert spec["title"]["text"].endswith("(emulated)")
    assert spec["description"].endswith("(emulated)")
    assert axis == "million instructions an image (emulated)"
    assert "ms an image" not in json.dumps(spec)
    assert "emulated" not in json.dumps(all_specs(chart())[kind])


def test_a_cell_looks_alike_in_every_chart_whatever_else_is_there() -> None:
    some = chart(points=chart().points[3:])
    colour = {
        value["cell"]: spec_range
        for spec in (plots.lines(chart()), plots.lines(some), *all_specs(some).values())
        for value, spec_range in _colours(spec)
    }
    look = plots.styles(["tf", HOSTILE, "caffe"])
    assert colour == {cell: look[cell].value for cell in colour}
    assert set(colour) == {"caffe", "tf", HOSTILE}


def _colours(spec: plots.Spec) -> list[tuple[dict[str, str], str]]:
    scale = layers(spec, "point")[-1]["encoding"]["color"]["scale"]
    return [({"cell": c}, v) for c, v in zip(scale["domain"], scale["range"], strict=True)]


def test_280_cells_look_different_and_no_two_of_seven_by_one_sign_alone() -> None:
    styles = plots.styles(f"cell-{n:03}" for n in range(280))
    assert len({(s.colour, s.shape, s.dash) for s in styles.values()}) == 280
    seven = list(styles.values())[:7]
    assert all(a.colour != b.colour and a.shape != b.shape for a, b in combinations(seven, 2))


# How colours look to people without one kind of cone. Source: Machado, Oliveira, Fernandes,
# 'A physiologically-based model for simulation of color vision deficiency', 2009, severity 1.
SEEN = {
    "everyone": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def linear_rgb(colour: str) -> Any:
    share = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("column", "paper"), [(1, "#ffffff"), (2, "#15181c")])
def test_colours_stand_out_from_paper_and_from_each_other_for_all_eyes(
    column: int, paper: str
) -> None:
    """Contrast as WCAG 2 defines it; 3:1 is what it asks of graphics."""
    colours = [linear_rgb(entry[column]) for entry in plots.COLOURS]
    for colour in colours:
        dark, light = sorted(float(c @ LUMINANCE) for c in (colour, linear_rgb(paper)))
        assert (light + 0.05) / (dark + 0.05) >= 3
    for eyes, matrix in SEEN.items():
        seen = [np.cbrt(np.clip(matrix @ colour, 0, 1)) for colour in colours]
        nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))
        assert nearest > 0.1, eyes


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=9))
def test_the_front_holds_exactly_what_nothing_else_beats(pairs: list[tuple[int, int]]) -> None:
    places = [Place(plots.Point("c", 1, figure), cost) for cost, figure in pairs]
    best = front(places)
    assert best
    for one in places:
        beaten = any(
            other.cost <= one.cost
            and other.point.figure <= one.point.figure
            and (other.cost < one.cost or other.point.figure < one.point.figure)
            for other in places
        )
        assert (one in best) != beaten


def test_pareto_shows_the_chosen_batch_size_and_what_is_known_of_it() -> None:
    spec = plots.pareto(chart(), against="memory", sizes={}, batch=4)
    assert spec["params"][0] == {"name": "at", "value": 4}
    at_one = {v["cell"]: v["front"] for v in spec["data"]["values"] if v["batch"] == 1}
    assert at_one == {"caffe": True, "tf": True}  # less memory, less time
    assert [v["cell"] for v in spec["data"]["values"] if v["batch"] == 4] == ["caffe"]
    by_size = plots.pareto(chart(), against="bundle", sizes=SIZES, batch=4)
    at_four = {v["cell"]: v["front"] for v in by_size["data"]["values"] if v["batch"] == 4}
    assert at_four == {"caffe": True, "tf": True, HOSTILE: False}
    assert all(v["label"].endswith(v["cell"]) for v in by_size["data"]["values"])


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(1, 200), st.floats(0, 300)), max_size=9))
def test_labels_never_overlap(boxes: list[tuple[float, float, float]]) -> None:
    placed = [(left, left + width, height) for left, width, height in boxes]
    heights = apart(placed, 14)
    assert all(height >= box[2] for height, box in zip(heights, placed, strict=True))
    for (a, ya), (b, yb) in combinations(zip(placed, heights, strict=True), 2):
        assert a[1] <= b[0] or b[1] <= a[0] or abs(ya - yb) >= 14 - 1e-6


@given(st.floats(1e-3, 1e6), st.floats(1.5, 1e4))
def test_ticks_of_a_logarithmic_axis_are_inside_it_and_not_too_many(
    low: float, ratio: float
) -> None:
    found = ticks(low, low * ratio) or []
    assert all(low <= tick <= low * ratio for tick in found)
    assert len(found) <= 16
    assert found or ratio < 2


CHARTS = {
    "board": chart(),
    "emulated": chart(emulated=True),
    "one point": chart(points=chart().points[:1], batches=(1,)),
    "nothing": chart(points=()),
    "same figures": chart(points=tuple(replace(p, figure=5.0) for p in chart().points)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHARTS)
def test_specs_are_drawn_without_a_warning_and_the_same_each_time(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    import vl_convert

    for spec in all_specs(CHARTS[name]).values():
        vl_convert.vegalite_to_svg(spec, show_warnings=True)
        assert page.svg(spec) == page.svg(json.loads(json.dumps(spec)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_files_have_real_colours_and_words_are_escaped() -> None:
    spec = plots.lines(chart())
    picture = page.svg(spec)
    assert "var(" not in picture
    assert plots.COLOURS[0][1] in picture
    assert "&lt;/script&gt;&lt;b&gt;" in picture
    assert "<b>" not in picture


@pytest.mark.slow
def test_png_is_at_twice_the_size() -> None:
    made = page.png(plots.lines(chart()))
    width = int.from_bytes(made[16:20], "big")
    assert made[:8] == b"\x89PNG\r\n\x1a\n"
    assert made == page.png(plots.lines(chart()))
    assert width > 2 * 720


def test_measurements_of_void_blocks_are_no_points() -> None:
    void: Measurement = row("caffe", 2, 50, status=Status.VOID, void_reason="throttled")
    assert plots.points(summary.rows([void])) == ()
