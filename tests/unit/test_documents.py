"""Every document fits the schema that is shipped for it, made here by those who make it."""

from __future__ import annotations

import ast
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, get_type_hints

import pytest
from typing_extensions import is_typeddict

from buildmatrix import bisecting, cli, doctor, nightly
from buildmatrix import documents as package
from buildmatrix.agreement import Agreement, Answer, differences
from buildmatrix.boards import deploying, documents
from buildmatrix.boards.fleet import Look
from buildmatrix.compare import compare
from buildmatrix.deploy import Forecast, Pushed
from buildmatrix.device import parse
from buildmatrix.documents import schemas
from buildmatrix.nouns import BoardAddress, Bundle, Finding, Severity, Stage
from buildmatrix.pipeline import sourcing
from buildmatrix.pipeline.documents import (
    build_document,
    cells_document,
    chosen_toolchains,
    offers_document,
    plan_document,
    toolchains_document,
)
from buildmatrix.pipeline.explaining import why_document
from buildmatrix.pipeline.making import Outcome
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.summary import rows
from buildmatrix.verdicts import agreeing, comparing
from buildmatrix.workload import REFERENCE
from tests.documents import valid
from tests.unit import shelves
from tests.unit.rows import row
from tests.unit.test_device import PI3

BOARD = BoardAddress("pi3", "pi3.local")
INFO = parse("pi3", PI3, now=0.0)
BUNDLE = Bundle("net-one", "d" * 64, ())
REFUSED = (("net-two", (Finding("BM303", Severity.ERROR, "pi3", "an old libc", "build"),)),)


@pytest.mark.slow
def test_of_the_matrix_and_of_what_is_built(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    shelves.put(shop, Stage.MODEL)
    actions = plan_all(shop)
    valid("cells", cells_document(shop))
    plan = valid("plan", plan_document(shop, actions))
    roots = {one["blocked_by"] for one in plan["actions"] if one["verb"] == "BLOCKED"}
    assert roots == {"", "source:blas-unlocked-fast"}
    states: dict[str, Any] = {"SKIP": "cached", "BLOCKED": "unavailable"}
    outcomes = [
        Outcome(one, states.get(one.verb, "done"), one.reason, fault=one.blocked_by)
        for one in actions
    ]
    ended = {one["id"]: one for one in valid("build", build_document(shop, outcomes))["cells"]}
    assert ended["net-two"]["cause"].startswith("fast is not locked to a commit")
    missing = {one["id"]: one["reason"] for one in valid("why", why_document(shop))["actions"]}
    assert missing["bundle:net-one"]
    assert valid("recipes", offers_document(tmp_path, "recipes"))["offers"]
    assert valid("models", offers_document(tmp_path, "models"))["offers"]
    offers = chosen_toolchains(tmp_path, ())
    listed = toolchains_document(offers, shop.project.toolchains, state=shop.state)
    origins = {row["name"]: row["origin"] for row in valid("toolchains", listed)["toolchains"]}
    assert (origins["tc"], origins["armv7hf-bookworm"]) == ("project", "shipped")
    now = sourcing.standings(shop)
    kinds = {
        one["state"] for one in valid("sources", sourcing.sources_document(shop, now))["sources"]
    }
    assert kinds == {"not fetched", "unlocked"}


@pytest.mark.slow
def test_of_deploys_and_devices() -> None:
    done = deploying.Deployed(INFO, (BUNDLE,), Pushed(1, 9, ("net-one",)), REFUSED, 1.5)
    forecast = Forecast(1, 9, 9, 0, 0.1, 0.01, 1e6, ("net-one",), (), 10, 1)
    foretold = deploying.Foretold(INFO, (BUNDLE,), forecast, REFUSED, "ann@desk")
    boards = [
        documents.deployed(BOARD, done),
        documents.foretold(BOARD, foretold),
        documents.rolled_back(BOARD, {"net-one": "d" * 64}),
    ]
    read = valid("deploy", {"version": 1, "boards": boards})
    assert read["boards"][0]["refused"][0]["findings"] == ["BM303 an old libc"]
    valid("device-info", documents.device(INFO))
    valid("device-up", documents.up(BOARD, name="v", kind="pi3", link=""))
    listed = documents.listed(Look("pi3", "idle"), "board", BOARD)
    valid("device-list", {"version": 1, "devices": [listed]})


def test_of_verdicts_and_a_night() -> None:
    base, new = (rows([row("caffe", 1, ms + i / 9, block=i, round=i) for i in range(8)])
                 for ms in (50, 60))  # fmt: skip
    compared = comparing.Compared("a", "b", compare(base, new), ("a note",))
    assert valid("compare", comparing.document(compared))["comparisons"][0]["base"] > 50
    run = nightly.Measured("face-cnn", "r", compared)
    trouble = nightly.Trouble(8, "worse")
    night = nightly.Night("x", "pi3", {"tc": "same"}, {"caffe": "done"}, (run,), (trouble,))
    assert valid("nightly", nightly.document(night))["compared_with"] == "a"
    valid("nightly", nightly.document(nightly.Night("x", "", {}, {})))
    steps = (bisecting.Taken("v1", "bad", "worse", "r"),)
    bisected = bisecting.Bisected("v0", "v1", (), steps, 1)
    asked = bisecting.Asked("caffe", "openblas", ("v0", "v1", "v2"), "face-cnn", "pi3")
    assert valid("bisect", bisecting.document(asked, bisected))["first_bad"] == "v1"
    answers = (Answer("caffe", "float32", (0.5,)), Answer(REFERENCE, "float64", (0.4,)))
    agreed = Agreement(answers, differences(answers))
    valid("agree", agreeing.agreement_document(agreed, model="face-cnn"))


def test_of_this_machine(tmp_path: Path) -> None:
    place = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    found = doctor.checks(tmp_path, engine_place=place, mirror=lambda: "m")
    assert valid("doctor", {"version": 1, "checks": [asdict(one) for one in found]})["checks"]


def test_what_does_not_fit_is_found() -> None:
    with pytest.raises(AssertionError, match=r"\$\.version: 1 was expected"):
        valid("compare", {"version": 2, "base": "", "new": "", "notes": [], "comparisons": []})
    with pytest.raises(AssertionError, match="'actions' is a required property"):
        valid("plan", {"version": 1})


def test_every_command_that_prints_json_has_a_schema() -> None:
    commands = {
        name
        for name, task in cli.namespace.tasks.items()
        if any(argument.name == "json" for argument in task.get_arguments())
    }
    named = {name.partition("-")[0] for name in schemas.DOCUMENTS}
    assert commands <= named


def test_every_type_with_a_version_is_a_document_with_a_schema() -> None:
    """A type with a version of its own is what some command prints, whole."""
    names = [one.name for one in iter_modules(package.__path__)]
    modules = [import_module(f"buildmatrix.documents.{one}") for one in names]
    types = [one for module in modules for one in vars(module).values() if is_typeddict(one)]
    whole = {one for one in types if get_type_hints(one).get("version") == Literal[1]}
    assert whole == set(filter(is_typeddict, schemas.DOCUMENTS.values()))


@pytest.mark.slow
def test_every_document_is_held_against_its_schema_where_a_test_makes_it() -> None:
    calls = [
        node
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "valid"
    ]
    names = [one.args[0] for one in calls]
    named = {name.value for name in names if isinstance(name, ast.Constant)}
    assert named == {*schemas.DOCUMENTS}
