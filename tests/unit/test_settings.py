"""A bench setting stands in one list; whoever takes settings takes all of them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from buildmatrix import cli, rerun
from buildmatrix.bench.request import Entrant, Request
from buildmatrix.errors import UsageError
from buildmatrix.matrix.spec import BenchSpec
from buildmatrix.settings import NightlySpec, Settings

NAMES = set(Settings.model_fields)
FLAGS = {"governor": "keep-governor", "wireless": "wireless-off"}  # only away from the default


def test_every_setting_is_in_the_request_the_archive_the_night_and_the_flags() -> None:
    flags = {argument.name for argument in cli.namespace["bench"].get_arguments()}
    assert {one.name for one in fields(Request)} >= NAMES
    assert set(rerun.SETTINGS) >= NAMES
    assert set(NightlySpec.model_fields) == NAMES | {"device"}
    assert set(BenchSpec.model_fields) == NAMES | {"model"}
    assert flags >= {FLAGS.get(name, name).replace("-", "_") for name in NAMES}


def test_the_night_overrules_only_what_it_says() -> None:
    night = NightlySpec(device="pi3", passes=3)
    assert night.over(Settings(rounds=7)) == Settings(rounds=7, passes=3)
    with pytest.raises(UsageError, match="--threads 0: Input should be greater"):
        Settings().overruled({"threads": 0})


def test_a_request_takes_the_settings_as_they_are() -> None:
    chosen = Settings(batches=[1, 8], governor=False).chosen()
    request = Request(run="r", model="m", entrants=(Entrant("a", "d"),), **chosen)
    assert (request.batches, request.governor, request.rounds) == ((1, 8), False, 5)


def test_rounds_are_a_number_or_go_on_until_an_interval_is_narrow() -> None:
    narrow = Settings(rounds={"until": "0.5 %", "at_most": 12})  # type: ignore[arg-type] # as read
    chosen = narrow.chosen()
    assert (chosen["rounds"], chosen["until"], chosen["at_most"]) == (8, 0.005, 12)
    assert NightlySpec(passes=3).over(narrow).rounds == narrow.rounds
    assert "until" not in Settings(rounds=7).chosen()
    for wrong in ({"until": "0 %"}, {"until": "1"}, {"until": "1 %", "at_most": 2}, 0):
        with pytest.raises(UsageError, match=r"--rounds .*(pattern|greater)"):
            Settings().overruled({"rounds": wrong})
