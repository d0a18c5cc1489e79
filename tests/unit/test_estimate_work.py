"""What layers ask of a board, held against what ncnn's sources and profiles of it say."""

from __future__ import annotations

import pytest

from buildmatrix.estimate import board, model
from buildmatrix.estimate.work import Part, total, works
from tests.bench.published_networks import WRITTEN, Drawing, drawn

# Millions of quad multiply-adds that ncnn 1.0.20261020 executed on 64-bit ARM, less those of layers
# that make a single pixel (tests/bench/ncnn_instructions.py). The detector on squeezenet executes a
# fifth more than this: its tiles are smaller today than in the releases of the published times.
COUNTED = {
    "squeezenet": 68.26,
    "mobilenet_v2": 78.09,
    "mobilenet_v3": 61.47,
    "efficientnet_b0": 116.60,
    "shufflenet": 31.55,
    "mobilenet_ssd": 287.22,
}


@pytest.mark.slow
def test_the_arithmetic_of_layers_is_what_a_profile_counted() -> None:
    for name, counted in COUNTED.items():
        asks = total(works(drawn(name)))
        said = sum(asks[part] for part in model.ARITHMETIC) / model.QUAD / 1e6
        assert said == pytest.approx(counted, rel=0.03), name


@pytest.mark.slow
def test_what_the_package_carries_of_the_published_networks_is_what_their_layers_ask_for() -> None:
    """Refresh it with: python -m tests.bench.estimates --write"""
    for name in WRITTEN:
        asks = {part.value: count for part, count in total(works(drawn(name))).items()}
        carried = {part: board.asked()[name][part] for part in asks}
        assert carried == pytest.approx(asks, abs=0.1), name


def test_each_group_is_a_call_and_only_wide_ones_take_tiles() -> None:
    for groups, tiled in ((2, True), (8, False)):
        drawing = Drawing("grouped", 16, 32)
        drawing.conv(32, 3, groups=groups, relu=False)
        asks = total(works(drawing.made()))
        assert asks[Part.CALLS] == groups
        assert (asks[Part.TILES] > 0) is tiled
        assert (asks[Part.GROUPED] < 16 * 16 * 32 * 9 * 32 / groups) is tiled
        assert asks[Part.PRODUCTS] == 0


def test_a_depthwise_window_without_a_kernel_of_its_own_is_told_from_others() -> None:
    for kernel, part in ((3, Part.DEPTHWISE), (5, Part.DEPTHWISE), (7, Part.ODD_DEPTHWISE)):
        drawing = Drawing("depthwise", 16, 32)
        drawing.depthwise(kernel, 1)
        asks = total(works(drawing.made()))
        assert asks[part] == 16 * 16 * 32 * kernel**2
        assert asks[Part.DEPTHWISE] + asks[Part.ODD_DEPTHWISE] == asks[part]


def test_exponentials_are_arithmetic_and_a_slice_reads_what_it_writes() -> None:
    drawing = Drawing("activated", 16, 32)
    drawing.add("sigmoid")
    drawing.add("slice", first=0, channels=8)
    asks = total(works(drawing.made()))
    assert asks[Part.EXPONENTIALS] == 16 * 16 * 32 * 13
    assert asks[Part.PASSES] == 16 * 16 * (2 * 32 + 2 * 8)


def test_padding_and_an_activation_move_values_once_more() -> None:
    values = {}
    for pad in (0, 1):
        for relu in (False, True):
            drawing = Drawing("padded", 16, 4)
            drawing.conv(4, 3, pad=pad, relu=relu)
            values[pad, relu] = total(works(drawing.made()))[Part.VALUES]
    before = 16 * 16 * 4
    assert values[1, False] == 2 * before + 2 * before
    assert values[1, True] - values[1, False] == 2 * before
    assert values[0, False] == before + 14 * 14 * 4
