"""The plan: verbs and reasons, shared work, and what a change touches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import InputError
from buildmatrix.nouns import Stage, Verb
from buildmatrix.plan import OnRecord, cache_keys, material_of, plan
from buildmatrix.works import Graph
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = OnRecord({}, frozenset(), {}, {}, {})
IMAGE = {"tc": "identity"}
KNOWN_IMAGE = OnRecord(IMAGE, frozenset(), {}, {}, {})


@pytest.fixture
def works(tmp_path: Path) -> Graph:
    return projects.works(projects.write(tmp_path))


def everything(works: Graph) -> OnRecord:
    keys = cache_keys(works, IMAGE)
    material = {w.id: material_of(w, keys) for w in works if w.stage is not Stage.IMAGE}
    sources = {str(w.material["identity"]) for w in works if w.stage is Stage.SOURCE}
    return OnRecord(IMAGE, frozenset(keys.values()), material, {}, {}, frozenset(sources))


def verbs(works: Graph, known: OnRecord) -> dict[str, str]:
    return {a.id: a.verb.value for a in plan(works, known)}


def test_one_stack_build_serves_every_blas(works: Graph) -> None:
    ids = [w.id for w in works]
    assert len(ids) == len(set(ids))
    assert [i for i in ids if i.startswith("build:")] == [
        "build:blas[blas=one,neon=false]@tc",
        "build:net@tc",
        "build:blas[blas=two,neon=false]@tc",
        "build:blas[blas=one,neon=true]@tc",
    ]
    assert [i for i in ids if i.startswith("runner:")] == ["runner:net@tc"]
    assert tuple(works.goals.values()) == ("audit:net-one", "audit:net-two", "audit:net-one-neon")


def test_what_decides_only_the_runner_builds_the_library_once(tmp_path: Path) -> None:
    root = projects.write(tmp_path)
    path = root / "recipes" / "net" / "recipe.yaml"
    option = "options:\n  bits: {decides: runner, summary: how many, type: integer, default: 32}\n"
    formats = "[{when: {bits: 8}, format: small}, {format: caffe}]"
    text = projects.NET.replace("dependencies:\n", f"{option}dependencies:\n")
    path.write_text(text.replace("model_format: caffe", f"model_format: {formats}"))
    matrix = projects.MATRIX + "  - {name: net-8, stack: net, blas: one, bits: 8}\n"
    ids = {work.id for work in projects.works(root, matrix)}
    assert {i for i in ids if "net" in i and i.startswith(("build:", "runner:"))} == {
        "build:net@tc",
        "runner:net[bits=32]@tc",
        "runner:net[bits=8]@tc",
    }
    assert {i for i in ids if i.startswith("model:")} == {
        "model:face-cnn.caffe",
        "model:face-cnn.small",
    }
    (root / "recipes" / "net" / "build.sh.j2").write_text("make {{ option.bits }}\n")
    with pytest.raises(InputError, match="no 'bits'; there are: none"):
        projects.works(root, matrix)
    path.write_text(path.read_text().replace("kind: run", "kind: run, when: {bits: 8}"))
    with pytest.raises(InputError, match="no option 'bits' here"):
        projects.works(root, matrix)


def test_needs_come_first(works: Graph) -> None:
    seen: set[str] = set()
    for work in works:
        assert set(work.needs) <= seen
        seen.add(work.id)


def test_from_nothing_everything_runs_but_what_is_blocked(works: Graph) -> None:
    actions = {a.id: a for a in plan(works, NOTHING)}
    assert actions["image:tc"].verb is Verb.RUN
    assert actions["build:net@tc"].reason == "the image of tc has to be made first"
    assert actions["source:blas-unlocked-fast"].verb is Verb.BLOCKED
    assert "git ls-remote https://example.org/blas.git fast" in (
        actions["source:blas-unlocked-fast"].reason
    )
    assert actions["audit:net-two"].verb is Verb.BLOCKED
    assert actions["audit:net-two"].reason == "needs source:blas-unlocked-fast"
    assert actions["audit:net-one"].verb is Verb.RUN


def test_all_stored_nothing_runs(works: Graph) -> None:
    assert set(verbs(works, everything(works)).values()) == {"SKIP"}


def test_a_stored_goal_needs_nothing_below_it(works: Graph) -> None:
    """Sources may be gone and the engine away, as long as what was made from them is stored."""
    known = everything(works)
    top = {a.key for a in plan(works, known) if a.stage in (Stage.AUDIT, Stage.BUNDLE)}
    actions = plan(works, replace(known, stored=frozenset(top)))
    assert {a.verb for a in actions} == {Verb.SKIP}
    assert next(a for a in actions if a.id == "build:net@tc").reason == (
        "nothing needs it: all that is made from it is stored"
    )


def test_what_an_audit_judged_is_made_again_when_it_is_gone(works: Graph) -> None:
    """Content that the disk changed is forgotten with the bundle that it was of."""
    known = everything(works)
    bundle = next(a for a in plan(works, known) if a.id == "bundle:net-one")
    after = verbs(works, replace(known, stored=known.stored - {bundle.key}))
    assert {work for work, verb in after.items() if verb != "SKIP"} == {"bundle:net-one"}


def test_what_only_cells_out_of_reach_need_is_not_made(works: Graph) -> None:
    """A stack whose format cannot say the network is not compiled for it."""
    gap = {w.id: "no hard-swish" for w in works if w.stage is Stage.MODEL}
    dropped = Graph(tuple(replace(w, blocked=gap.get(w.id, w.blocked)) for w in works), works.goals)
    actions = {a.id: a for a in plan(dropped, NOTHING)}
    made = [a.stage for a in actions.values() if a.verb is Verb.RUN]
    assert made == []
    assert actions["build:net@tc"].reason == "only cells that are out of reach need it"
    assert actions["audit:net-one"].reason == "needs model:face-cnn.caffe"
    # A library that another cell needs as well is made.
    shared = {**works.goals, "blas": "build:blas[blas=one,neon=false]@tc"}
    after = {a.id: a.verb for a in plan(Graph(dropped.works, shared), NOTHING)}
    assert after["build:blas[blas=one,neon=false]@tc"] is Verb.RUN
    assert after["image:tc"] is Verb.RUN
    assert after["build:net@tc"] is Verb.SKIP


def test_a_change_says_what_it_was_and_touches_only_what_is_above(
    works: Graph, tmp_path: Path
) -> None:
    known = everything(works)
    (tmp_path / "recipes" / "net" / "build.sh.j2").write_text("make -k {{ target.triple }}\n")
    actions = {a.id: a for a in plan(projects.works(tmp_path), known)}
    assert actions["build:net@tc"].verb is Verb.RERUN
    assert actions["build:net@tc"].reason == ('changed: script: "make arm-x" -> "make -k arm-x"')
    assert actions["build:blas[blas=one,neon=true]@tc"].verb is Verb.SKIP
    assert actions["bundle:net-one"].verb is Verb.RERUN
    reason = actions["bundle:net-one"].reason
    assert reason.startswith("because its runner changed (runner:net@tc)"), "as `inv why` has it"


def test_a_changed_compiler_reruns_all_that_it_made(works: Graph) -> None:
    known = replace(everything(works), identities={"tc": "another"})
    changed = verbs(works, known)
    assert changed["build:net@tc"] == "RERUN"
    assert changed["model:face-cnn.caffe"] == "SKIP"
    reason = next(a.reason for a in plan(works, known) if a.id == "build:net@tc")
    assert reason.startswith("because its image changed (image:tc)")


def test_a_run_time_setting_is_in_no_key(tmp_path: Path) -> None:
    root = projects.write(tmp_path)
    before = cache_keys(projects.works(root), IMAGE)
    bench = projects.MATRIX + "bench: {batches: [64], threads: 1, passes: 3}\n"
    assert cache_keys(projects.works(root, bench), IMAGE) == before


def test_a_source_that_was_out_of_reach_is_tried_again(works: Graph) -> None:
    source = next(w.id for w in works if w.id.startswith("source:net"))
    known = replace(NOTHING, unavailable={source: "HTTP 404"})
    action = next(a for a in plan(works, known) if a.id == source)
    assert (action.verb, action.reason) == (Verb.RUN, "try again; last time: HTTP 404")


TEMPLATE = """\
{% if option.neon %}
echo {{ option.blas ~ " it's" }} {{ flags }}
{% endif %}
make {{ target.triple ~ "-gcc" }} {{ source.blas }} {{ "a b" | raw }} {{ option.neon }}
"""
KEYS = {  # as version 0.1.0 of 2026-11-27 made them
    "source:net-bbbbbbbbbbbb": "59b5106ce57f",
    "build:blas[blas=one,neon=false]@tc": "a6f260c31483",
    "build:net@tc": "c75a71ec8bbc",
    "runner:net@tc": "794cb24357a2",
    "model:face-cnn.caffe": "b8099a3c7b30",
    "build:blas[blas=one,neon=true]@tc": "e46ebdab8f40",
    "bundle:net-one-neon": "52817a77298a",
}


def test_the_keys_stay_what_they_were(tmp_path: Path) -> None:
    """Another key for the same work would build every user's cells again; an audit is cheap."""
    root = projects.write(tmp_path)
    (root / "recipes" / "blas" / "build.sh.j2").write_text(TEMPLATE)
    keys = {action.id: action.key for action in plan(projects.works(root), KNOWN_IMAGE)}
    assert {name: keys[name][:12] for name in KEYS} == KEYS
