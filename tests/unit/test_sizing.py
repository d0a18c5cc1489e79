"""What works claim of a machine, and what a plan says of the time that they take."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from buildmatrix.cli import building_view
from buildmatrix.pipeline.documents import plan_document
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.plan import OnRecord, plan
from buildmatrix.records import write_record
from buildmatrix.schedule.sizing import Machine, tasks
from buildmatrix.schedule.task import Lane, Task
from tests.unit import projects, shelves

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

MACHINE = Machine(cores=2, memory_mib=8 << 10)


def printed(table: RenderableType) -> str:
    text = io.StringIO()
    Console(file=text, width=100, highlight=False).print(table)
    return text.getvalue()


def sized(root: Path, machine: Machine) -> list[Task]:
    graph = projects.works(projects.write(root))
    actions = plan(graph, OnRecord({}, frozenset(), {}, {}, {}))
    return list(tasks(actions, graph.by_id, machine))


@pytest.mark.parametrize(
    ("cores", "at_once", "share", "jobs"),
    [(1, 1, 1, 1), (2, 2, 1, 2), (3, 2, 1, 3), (8, 2, 4, 8), (24, 3, 8, 16)],
)
def test_compiles_share_the_cores_and_never_run_more_than_two_processes_a_core(
    tmp_path: Path, cores: int, at_once: int, share: int, jobs: int
) -> None:
    machine = Machine(cores, 64 << 10)
    builds = [one for one in sized(tmp_path, machine) if one.lane is Lane.COMPILE]
    assert {(one.cores, one.jobs) for one in builds} == {(share, jobs)}
    assert machine.budget().lanes[Lane.COMPILE] == at_once
    assert at_once * share <= cores
    assert at_once * jobs <= machine.patience * cores, "so no compile takes longer than that"


def test_one_compile_alone_has_all_cores(tmp_path: Path) -> None:
    graph = projects.works(projects.write(tmp_path))
    actions = plan(graph, OnRecord({}, frozenset(), {}, {}, {}))
    alone = [one for one in actions if one.id == "build:net@tc"]
    (task,) = tasks(alone, graph.by_id, Machine(64, 64 << 10))
    assert (task.cores, task.jobs) == (64, 64)


def test_what_waits_for_the_network_or_is_one_process_takes_no_compilers_place(
    tmp_path: Path,
) -> None:
    others = [one for one in sized(tmp_path, MACHINE) if one.lane is not Lane.COMPILE]
    assert {one.cores for one in others} == {0}
    assert {one.lane for one in others} == {Lane.FETCH, Lane.OWN, Lane.SINGLE}


def test_a_container_claims_the_memory_that_it_is_limited_to(tmp_path: Path) -> None:
    claims = {one.lane: one.memory_mib for one in sized(tmp_path, MACHINE)}
    assert claims[Lane.COMPILE] >= 1 << 10
    assert claims[Lane.OWN] == claims[Lane.FETCH] == 0


def test_one_work_at_a_time_is_one_work_at_a_time() -> None:
    machine = Machine(8, 8 << 10, works=1)
    assert machine.budget().works == machine.compiles == 1


def test_a_plan_tells_minutes_the_longest_chain_and_what_is_guessed(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    write_record(shop.paths.seconds, {"build:net@tc": 600.0})
    document = plan_document(shop, plan_all(shop))
    row = document["forecast"]
    assert row["critical_path"][-2:] == ["bundle:net-one", "audit:net-one"]
    assert "build:net@tc" in row["critical_path"]
    assert row["critical_seconds"] <= row["seconds"] <= row["one_at_a_time"]
    predicted = {one["id"]: one["predicted_by"] for one in document["actions"]}
    assert predicted["build:net@tc"] == "record"
    assert predicted["runner:net@tc"] == "guess"
    text = printed(building_view.plan(document))
    assert "longest chain" in text
    assert "guess 5 s" in text
    assert f"(of {row['guessed']} works it is guessed)" in " ".join(text.split())
