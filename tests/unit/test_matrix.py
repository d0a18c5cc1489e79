"""The matrix: what becomes a cell, what is dropped and why, and every fault with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildmatrix.errors import InputError
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return projects.write(tmp_path)


def test_cells_hold_every_option_that_is_used(root: Path) -> None:
    cells = projects.expand(root).cells
    assert [(c.id, dict(c.options)) for c in cells] == [
        ("net-one", {"blas": "one", "neon": False}),
        ("net-two", {"blas": "two", "neon": False}),
        ("net-one-neon", {"blas": "one", "neon": True}),
    ]


def test_an_axis_that_a_recipe_does_not_use_does_not_multiply_it(root: Path) -> None:
    paint = root / "recipes" / "paint"
    paint.mkdir()
    options = "options: {colour: {summary: which, default: red}}\n"
    build = "build: {script: build.sh.j2, products: [lib/p]}\n"
    (paint / "recipe.yaml").write_text(
        f"version: 1\nname: paint\nsummary: a stack\n{options}{build}"
    )
    (paint / "build.sh.j2").write_text("make {{ option.colour }}\n")
    text = """\
version: 1
toolchain: tc
axes: {stack: [net], blas: [one, two], colour: [red, blue]}
name: "{stack}-{blas}"
include: [{name: paint-red, stack: paint, colour: red}]
"""
    ids = [c.id for c in projects.expand(root, text).cells]
    assert ids == ["net-one", "net-two", "paint-red"]


MODELS = "bench: {model: [face-cnn, lenet-5]}\n"


def test_a_second_model_doubles_the_cells_and_leaves_the_first_ones_their_names(root: Path) -> None:
    alone = projects.expand(root)
    both = projects.expand(root, projects.MATRIX + MODELS)
    assert both.cells[: len(alone.cells)] == alone.cells
    assert [(c.id, c.model) for c in both.cells[len(alone.cells) :]] == [
        ("net-one.lenet-5", "lenet-5"),
        ("net-two.lenet-5", "lenet-5"),
        ("net-one-neon.lenet-5", "lenet-5"),
    ]


def test_an_exclusion_is_of_every_model_unless_it_names_one(root: Path) -> None:
    rules = (
        "exclude:\n"
        "  - {name: net-one, reason: slow}\n"
        "  - {name: net-two, model: lenet-5, reason: small}\n"
    )
    found = projects.expand(root, projects.MATRIX + MODELS + rules)
    assert [(d.id, d.reason) for d in found.dropped] == [
        ("net-one", "slow"),
        ("net-one.lenet-5", "slow"),
        ("net-two.lenet-5", "small"),
    ]


def test_models_share_what_is_built_and_have_bundles_of_their_own(root: Path) -> None:
    alone = {work.id: work for work in projects.works(root)}
    both = {work.id: work for work in projects.works(root, projects.MATRIX + MODELS)}
    assert {name: both[name] for name in alone} == alone
    assert {name for name in both if name not in alone} == {
        "model:lenet-5.caffe",
        "bundle:net-one.lenet-5",
        "bundle:net-two.lenet-5",
        "bundle:net-one-neon.lenet-5",
        "audit:net-one.lenet-5",
        "audit:net-two.lenet-5",
        "audit:net-one-neon.lenet-5",
    }
    assert "model:lenet-5.caffe" in both["bundle:net-one.lenet-5"].needs
    assert "model:face-cnn.caffe" not in both["bundle:net-one.lenet-5"].needs


BOARDS = """
devices: {pi3-a: {host: a.local}, pi3-b: {host: b.local, port: 2222}}
groups: {lab: [pi3-*]}
nightly: {device: pi3-b, passes: 3}
"""


def test_boards_groups_and_the_night(root: Path) -> None:
    found = projects.expand(root, projects.MATRIX + BOARDS)
    assert [(d.name, d.host, d.port) for d in found.devices.values()] == [
        ("pi3-a", "a.local", 0),
        ("pi3-b", "b.local", 2222),
    ]
    assert found.groups == {"lab": ["pi3-*"]}
    assert (found.nightly.device, found.nightly.passes, found.nightly.rounds) == ("pi3-b", 3, None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lab: [pi3-*]", "lab: [pi4]", "'pi4' fits no device"),
        ("lab: [pi3-*]", "pi3-a: [pi3-b]", "'pi3-a' is a device already"),
        ("device: pi3-b", "device: pi3-c", "'pi3-c' is no device (did you mean"),
    ],
)
def test_a_board_that_is_none_is_named_with_its_place(
    root: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(InputError) as caught:
        projects.expand(root, projects.MATRIX + BOARDS.replace(old, new))
    assert told in str(caught.value)
    assert str(caught.value).startswith("matrix.yaml:")
    assert "next: devices: pi3-a, pi3-b" in str(caught.value) or "already" in told


def test_linked_axes_advance_together(root: Path) -> None:
    text = """\
version: 1
toolchain: tc
axes: {stack: [net]}
zip: [{blas: [one, two], neon: [true, false]}]
name: "{stack}-{blas}-{neon}"
"""
    assert [c.id for c in projects.expand(root, text).cells] == ["net-one-true", "net-two-false"]


def test_an_exclusion_keeps_its_reason_and_place(root: Path) -> None:
    text = projects.MATRIX + 'exclude:\n  - {blas: [tw*, three], reason: "too slow"}\n'
    expanded = projects.expand(root, text)
    assert [c.id for c in expanded.cells] == ["net-one", "net-one-neon"]
    assert [(d.id, d.rule, d.reason) for d in expanded.dropped] == [
        ("net-two", "matrix.yaml:8:5", "too slow")
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("axes:", "axs:", "matrix.yaml:3:1: unknown key 'axs' (did you mean 'axes'?)"),
        ("stack: [net]", "stack: [nett]", "matrix.yaml:3:8: no stack 'nett' (did you mean 'net'?)"),
        ("toolchain: tc", "toolchain: td", "matrix.yaml:2:1: no toolchain 'td'; there are: tc"),
        ("neon: true}", "neon: 1}", "matrix.yaml:6:49: 'neon' must be boolean, not 1"),
        ("neon: true}", "noen: true}", "matrix.yaml:6:49: net does not use 'noen' (did you mean"),
        ("[one, two]", "[one, 2.0]", "matrix.yaml:3:34: 'blas': must be text (in quotes)"),
        ("[one, two]", "[one, tow]", "'blas' cannot be 'tow' (did you mean 'two'?); allowed: one"),
        ("net-one-neon", "net-one", "matrix.yaml:6:5: two cells are called 'net-one'"),
        ("{stack}-{blas}", "{stack}", "two cells are called 'net'"),
        ("{stack}-{blas}", "{stack}-{bls}", "matrix.yaml:4:1: name: 'bls' is not a variable"),
        ("{stack}-{blas}", "../{stack}-{blas}", "'../net-one' is no cell id"),
        ("include:", "exclude:\n  - {blas: one}\ninclude:", "matrix.yaml:6:5: 'reason' is missing"),
        (
            "include:",
            'exclude:\n  - {blas: three, reason: "x"}\ninclude:',
            "matrix.yaml:6:5: this exclusion matches no cell",
        ),
        (
            "blas: [one, two]",
            "blas: [one, two], noen: [true]",
            "uses 'noen' (did you mean 'neon'?)",
        ),
        (
            "blas: [one, two]",
            "blas: [one, two, one]",
            "matrix.yaml:3:39: 'one' is in this axis alr",
        ),
        (
            "include:",
            "zip: [{blas: [one]}]\ninclude:",
            "matrix.yaml:5:8: 'blas' is written twice, als",
        ),
        ("include:", "zip: [{neon: [true]}, {neon: [true]}]\ninclude:", "'neon' is written twice"),
        (
            "stack: [net]",
            "stack: [net], toolchain: [tc]",
            "'toolchain' is written twice, also at m",
        ),
        (
            "{name: net-one-neon, stack: net",
            "{stack: net",
            "an include is a whole cell, and this one",
        ),
        ("{stack}-{blas}", "{stack:>999999999}", "name: {stack} takes no layout here"),
        ("{stack}-{blas}", "{stack!r}", "name: {stack} takes no layout here"),
        ("{stack}-{blas}", "{stack.__class__}", "is not a variable"),
        ("{stack}-{blas}", "x" * 200, "a cell id of 200 characters is too long"),
        ("include:", "zip: [{a: [1, 2], b: [1]}]\ninclude:", "linked axes must be equally long"),
        ("version: 1", "version: 2", "matrix.yaml:1:1: 'version' cannot be 2; allowed: 1"),
        ("toolchain: tc", "toolchain: [tc, tc]", "matrix.yaml:2:17: 'tc' stands here twice"),
        ("include:", "bench: {model: [a, b, a]}\ninclude:", "matrix.yaml:5:23: 'a' stands here tw"),
        ("include:", "bench: {batches: [1, 1]}\ninclude:", "matrix.yaml:5:22: 1 stands here twice"),
        ("include:", "nightly: {batches: [1, 1]}\ninclude:", "5:24: 1 stands here twice"),
        ("include:", "zip: [{neon: [true, true]}]\ninclude:", "5:21: (True,) is in this zip alr"),
        ("include:", "zip: [{}]\ninclude:", "matrix.yaml:5:7: 'zip'"),
        ("include:", "exclude:\n  - {reason: x}\ninclude:", "5: this exclusion names nothing"),
        (
            "include:",
            "exclude:\n  - {blas: two, reason: x}\n  - {blas: two, reason: y}\ninclude:",
            "matrix.yaml:7:5: this exclusion is the one at matrix.yaml:6:5 again",
        ),
        (
            "include:",
            "include:\n  - {name: net-one-neon, stack: net, neon: true, blas: one}",
            "matrix.yaml:7:5: 'net-one-neon' is included already, at matrix.yaml:6:5",
        ),
        ("axes: {stack: [net], blas: [one, two]}\n", "", "3:1: this names the cells of axes, and"),
    ],
)
def test_faults(root: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        projects.expand(root, projects.MATRIX.replace(old, new, 1))
    assert message in str(caught.value)


IDLE = """\
version: 1
toolchain: [tc, idle]
axes: {stack: [net], toolchain: [tc], colour: [red, blue]}
zip: [{blas: [one, two], shade: [dark, light]}]
name: "{stack}-{blas}"
include: [{name: paint-red, stack: paint, toolchain: tc, colour: red, shade: dark}]
exclude: [{blas: [tw*, three], reason: "slow"}]
"""


@pytest.mark.parametrize(
    ("without", "sentences"),
    [
        (
            "toolchain: [tc, idle]\n",
            [
                "3:39: no cell of the axes uses 'colour' 'red', 'blue'",
                "4:26: no cell of the axes uses 'shade' 'dark', 'light'",
                "7:24: 'three' of this exclusion matches no cell",
            ],
        ),
        (
            ", toolchain: [tc]",
            ["no toolchain 'idle'; there are: tc"],
        ),
    ],
)
def test_what_comes_to_no_cell_is_told_with_its_place(
    root: Path, without: str, sentences: list[str]
) -> None:
    paint = root / "recipes" / "paint"
    paint.mkdir()
    (paint / "recipe.yaml").write_text(
        "version: 1\nname: paint\nsummary: a stack\n"
        "options: {colour: {summary: which}, shade: {summary: which}}\n"
        "build: {script: build.sh.j2, products: [lib/p]}\n"
    )
    text = IDLE.replace(without, "\n" if without.endswith("\n") else "")
    try:
        found = [str(one) for one in projects.expand(root, text).idle]
    except InputError as error:
        found = [error.brief]
    assert found == [s if s.startswith("no ") else f"matrix.yaml:{s}" for s in sentences]


def test_a_toolchain_that_every_cell_passes_by_is_told(root: Path) -> None:
    text = "version: 1\ntoolchain: other\ninclude: [{name: a, stack: net, toolchain: tc}]\n"
    (idle,) = projects.expand(root, text).idle
    assert str(idle) == (
        "matrix.yaml:2:1: no cell is built with toolchain 'other': each names its own"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            f"axes: {{stack: [net], a: {[*range(300)]}, b: {[*range(300)]}, c: {[*range(300)]}}}\n",
            "matrix.yaml:3:1: this asks for 27,000,000 combinations; at most 100,000 are read",
        ),
        (
            f"axes: {{stack: [net], a: {[*range(200)]}, b: {[*range(200)]}}}\n"
            f"exclude: [{{blas: {[f'x{n}' for n in range(100)]}, reason: slow}}]\n",
            "matrix.yaml:4:1: 100 excluded values are too many for 40,000 combinations",
        ),
    ],
)
def test_a_short_matrix_cannot_ask_for_hours(root: Path, more: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        projects.expand(root, f"version: 1\ntoolchain: tc\n{more}")
    assert message in str(caught.value)


def test_an_included_cell_stands_as_it_is_written(root: Path) -> None:
    """Beside an excluded combination of the same options, under its own name."""
    text = projects.MATRIX.replace("net-one-neon, stack: net, blas: one, neon: true", "%s")
    text += 'exclude: [{blas: two, reason: "slow"}]\n'
    expanded = projects.expand(root, text % "wanted, stack: net, blas: two")
    assert [c.id for c in expanded.cells] == ["net-one", "wanted"]
    assert [d.id for d in expanded.dropped] == ["net-two"]


def test_an_exclusion_drops_an_included_cell_by_what_that_leaves_open(root: Path) -> None:
    text = projects.MATRIX + 'exclude: [{neon: true, toolchain: "t*", reason: "old compiler"}]\n'
    expanded = projects.expand(root, text)
    assert [c.id for c in expanded.cells] == ["net-one", "net-two"]
    assert [d.id for d in expanded.dropped] == ["net-one-neon"]


def test_an_include_that_is_a_combination_by_name_and_options_is_it(root: Path) -> None:
    text = projects.MATRIX.replace("net-one-neon, stack: net, blas: one, neon: true", "%s")
    expanded = projects.expand(root, text % "net-two, stack: net, blas: two")
    assert [c.id for c in expanded.cells] == ["net-one", "net-two"]


def test_a_dependency_cycle_is_named(root: Path) -> None:
    path = root / "recipes" / "blas" / "recipe.yaml"
    path.write_text(projects.BLAS + "dependencies: [{recipe: net, kind: build}]\n")
    with pytest.raises(InputError, match=r"recipe\.yaml:\d+:\d+: dependency cycle: \w+ -> \w+ -> "):
        projects.expand(root)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    blas=st.lists(st.sampled_from(["one", "two"]), min_size=1, unique=True),
    neon=st.lists(st.booleans(), min_size=1, unique=True),
    drop=st.sampled_from([None, "one", "two"]),
)
def test_kept_and_dropped_are_the_whole_product(
    root: Path, blas: list[str], neon: list[bool], drop: str | None
) -> None:
    text = (
        "version: 1\ntoolchain: tc\nname: '{stack}-{blas}-{neon}'\n"
        f"axes: {{stack: [net], blas: [{', '.join(blas)}], "
        f"neon: [{', '.join(str(n).lower() for n in neon)}]}}\n"
    )
    if drop in blas:
        text += f"exclude: [{{blas: {drop}, reason: r}}]\n"
    expanded = projects.expand(root, text)
    ids = [c.id for c in expanded.cells] + [d.id for d in expanded.dropped]
    assert sorted(ids) == sorted(f"net-{b}-{str(n).lower()}" for b in blas for n in neon)
    assert all(f"-{drop}-" not in c.id for c in expanded.cells) or drop not in blas
