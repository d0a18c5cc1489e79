"""A bench setting stands in one list; whoever takes settings takes all of them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from buildmatrix import cli, rerun
from buildmatrix.bench.request import Entrant, Request
from buildmatrix.cli import run_flags
from buildmatrix.errors import UsageError
from buildmatrix.matrix.spec import BenchSpec
from buildmatrix.run_settings import SETTINGS
from buildmatrix.settings import NightlySpec, Settings

if TYPE_CHECKING:
    from buildmatrix.cli.run_flags import Given

NAMES = set(Settings.model_fields)


def test_every_setting_is_in_the_request_the_archive_the_night_and_the_flags() -> None:
    flags = {argument.name for argument in cli.namespace["bench"].get_arguments()}
    assert {one.name for one in fields(Request)} >= NAMES
    assert set(rerun.SETTINGS) >= NAMES
    assert set(NightlySpec.model_fields) == NAMES | {"device"}
    assert set(BenchSpec.model_fields) == NAMES | {"model"}
    assert flags >= {one.flag for one in SETTINGS}
    assert flags >= {"keep_governor", "wireless_off", "cool_down", "rounds"}


def test_the_night_overrules_only_what_it_says() -> None:
    night = NightlySpec(device="pi3", passes=3)
    assert night.over(Settings(rounds=7)) == Settings(rounds=7, passes=3)
    with pytest.raises(UsageError, match="--threads 0: must be 1 or more"):
        Settings().overruled({"threads": 0})


def test_a_request_takes_the_settings_as_they_are() -> None:
    chosen = Settings(batches=[1, 8], governor=False).chosen()
    request = Request(run="r", model="m", entrants=(Entrant("a", "d"),), **chosen)
    assert (request.batches, request.governor, request.rounds) == ((1, 8), False, 5)


def test_rounds_are_a_number_or_go_on_until_an_interval_is_narrow() -> None:
    narrow = Settings(rounds={"until": "0.5 %", "at_most": 12})
    chosen = narrow.chosen()
    assert (chosen["rounds"], chosen["until"], chosen["at_most"]) == (8, 0.005, 12)
    assert NightlySpec(passes=3).over(narrow).rounds == narrow.rounds
    assert "until" not in Settings(rounds=7).chosen()
    for wrong in ({"until": "0 %"}, {"until": "1"}, {"until": "1 %", "at_most": 2}, 0):
        with pytest.raises(UsageError, match=r"--rounds .*(pattern|or more)"):
            Settings().overruled({"rounds": wrong})


def test_what_stands_on_the_command_line_is_the_setting_of_the_same_name() -> None:
    seen: list[Given] = []

    @run_flags.with_flags()
    def command(_c: object, given: Given = run_flags.NONE) -> None:
        seen.append(given)

    words: dict[str, object] = {one.flag: "7" for one in SETTINGS if not one.switch}
    switches: dict[str, object] = {one.flag: True for one in SETTINGS if one.switch}
    command(None, **{**words, **switches, "rounds": "0.5%:12", "batches": "1,8"})
    (given,) = seen
    settings = Settings().overruled(given)
    assert set(given) == NAMES
    assert (settings.batches, settings.governor, settings.wireless) == ([1, 8], False, "off")
    assert (settings.rounds.share, settings.rounds.at_most) == (0.005, 12)
    command(None, **dict.fromkeys(words), **dict.fromkeys(switches, False))
    assert seen[-1] == {}
    with pytest.raises(UsageError, match="--cool-down warm: write a whole number"):
        command(None, cool_down="warm")
