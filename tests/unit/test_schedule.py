"""The schedule: never over its budget, never before its needs, and all that can be made is made."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.schedule.core import (
    Added,
    Begin,
    Closed,
    Done,
    Drop,
    Event,
    Failed,
    Lost,
    Schedule,
    Unavailable,
)
from buildmatrix.schedule.forecast import forecast
from buildmatrix.schedule.task import Budget, Lane, Task, tails

WIDE = Budget(works=99, cores=99)


def task(name: str, *needs: str, seconds: float = 1.0, **more: int) -> Task:
    return replace(Task(name, needs, seconds), **more)  # type: ignore[arg-type]


def begun(schedule: Schedule, event: Event) -> list[str]:
    return [one.id for one in schedule.tell(event) if isinstance(one, Begin)]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Task, ...]:
    """Works in any order, each needing some of those with a smaller number."""
    count = draw(st.integers(1, 8))
    below = [st.sets(st.integers(0, max(0, number - 1)), max_size=3) for number in range(count)]
    made = [
        Task(
            str(number),
            tuple(map(str, draw(below[number]))) if number else (),
            draw(st.integers(0, 100)),
            draw(st.sampled_from(Lane)),
            cores=draw(st.integers(0, 9)),
            jobs=draw(st.integers(1, 9)),
            memory_mib=draw(st.integers(0, 9)),
        )
        for number in range(count)
    ]
    return tuple(draw(st.permutations(made)))


budgets = st.builds(
    Budget,
    works=st.integers(1, 6),
    cores=st.integers(1, 6),
    memory_mib=st.integers(1, 6),
    lanes=st.dictionaries(st.sampled_from(Lane), st.integers(1, 3)),
)


def is_within(schedule: Schedule) -> bool:
    """What runs claims no more than there is."""
    budget, running = schedule.budget, schedule.running.values()
    claims = [budget.fitted(one) for one in running]
    lanes = Counter(one.lane for one in running)
    return (
        len(claims) <= budget.works
        and sum(cores for cores, _ in claims) <= budget.cores
        and sum(memory for _, memory in claims) <= budget.memory_mib
        and all(lanes[lane] <= limit for lane, limit in budget.lanes.items())
    )


@given(tasks=graphs(), budget=budgets, data=st.data())
def test_whatever_fails_or_is_lost_all_that_can_be_made_is_made_within_the_budget(
    tasks: tuple[Task, ...], budget: Budget, data: st.DataObject
) -> None:
    schedule, made, failed, dropped = Schedule(budget), set[str](), set[str](), dict[str, str]()
    absent = set[str]()
    cut = data.draw(st.integers(0, len(tasks)), "added later")
    later = tuple(one for one in tasks if int(one.id) >= cut)
    decisions = schedule.tell(Added(tuple(one for one in tasks if int(one.id) < cut)))
    while True:
        dropped |= {one.id: one.root for one in decisions if isinstance(one, Drop)}
        assert is_within(schedule)
        for name in schedule.running:
            assert set(schedule.tasks[name].needs) <= made, "before its needs"
        if schedule.over and not later:
            break
        if later and (schedule.over or data.draw(st.booleans(), "add now")):
            decisions, later = schedule.tell(Added(later)), ()
            continue
        name = data.draw(st.sampled_from([*schedule.running]), "ends")
        ends: list[Event] = [Done(name), Failed(name), Unavailable(name), Lost(name)]
        event = data.draw(st.sampled_from(ends), "how")
        decisions = schedule.tell(event)
        if isinstance(event, Done):
            made.add(name)
        elif name in schedule.lacking:  # failed, or lost for the last time
            failed.add(name)
            if isinstance(event, Unavailable):
                absent.add(name)
    assert made | failed | dropped.keys() == {one.id for one in tasks}
    assert made.isdisjoint(dropped)
    needs = {one.id: one.needs for one in tasks}
    for name, root in dropped.items():
        assert root in failed
        if name in schedule.useless:
            users = {user.id for user in tasks if name in user.needs}
            assert users <= failed | dropped.keys(), "something that needs it could be made"
            assert root in absent, "what failed is mended, and then it is of use"
        else:
            assert {*needs[name]} & (failed | dropped.keys()), "nothing that it needs failed"
    for name in made:
        assert {*needs[name]} <= made


@given(tasks=graphs(), budget=budgets)
def test_a_forecast_is_never_below_its_bounds_nor_above_one_work_at_a_time(
    tasks: tuple[Task, ...], budget: Budget
) -> None:
    total = sum(one.seconds for one in tasks)
    expected = forecast(tasks, budget)
    assert expected.ends.keys() == {one.id for one in tasks}
    longest = max(tails(tasks).values())
    assert expected.seconds >= longest - 1e-6
    assert expected.seconds >= total / budget.works - 1e-6
    slowest = max(1.0, max(one.jobs for one in tasks) / budget.cores)
    most = sum(one.seconds for one in tasks if one.lane is not Lane.COMPILE)
    most += slowest * sum(one.seconds for one in tasks if one.lane is Lane.COMPILE)
    assert expected.seconds <= most * budget.works + 1e-6
    for one in tasks:
        for need in one.needs:
            assert expected.begins[one.id] >= expected.ends[need] - 1e-9


@given(tasks=graphs())
def test_the_critical_path_is_a_chain_of_needs_and_as_long_as_the_longest_tail(
    tasks: tuple[Task, ...],
) -> None:
    by_id, path = {one.id: one for one in tasks}, forecast(tasks, Budget()).critical_path
    for need, user in pairwise(path):
        assert need in by_id[user].needs
    length = sum(by_id[name].seconds for name in path)
    assert length == pytest.approx(max(tails(tasks).values()))


def test_what_the_longest_chain_waits_for_begins_first() -> None:
    schedule = Schedule(Budget(works=1, cores=1))
    tasks = (task("long", seconds=5), task("root"), task("top", "root", seconds=9))
    assert begun(schedule, Added(tasks)) == ["root"]
    assert begun(schedule, Done("root")) == ["top"]
    assert begun(schedule, Done("top")) == ["long"]


def test_sources_are_fetched_before_anything_is_compiled() -> None:
    schedule = Schedule(Budget(works=1))
    tasks = (task("compile", seconds=99), Task("source", seconds=1, lane=Lane.FETCH))
    assert begun(schedule, Added(tasks)) == ["source"]


def test_what_does_not_fit_leaves_its_place_to_what_does() -> None:
    schedule = Schedule(Budget(works=9, cores=2, memory_mib=100))
    tasks = (
        task("wide", seconds=9, cores=1, memory_mib=60),
        task("wider", seconds=8, cores=1, memory_mib=60),
        task("small", seconds=1, cores=1, memory_mib=40),
    )
    assert begun(schedule, Added(tasks)) == ["wide", "small"]
    assert begun(schedule, Done("small")) == []
    assert begun(schedule, Done("wide")) == ["wider"]


def test_what_wants_more_than_there_is_gets_all_and_is_alone() -> None:
    schedule = Schedule(Budget(works=9, cores=2, memory_mib=100))
    tasks = (task("huge", seconds=9, cores=64, memory_mib=1 << 20), task("small", memory_mib=1))
    assert begun(schedule, Added(tasks)) == ["huge"]
    assert begun(schedule, Done("huge")) == ["small"]


def test_a_lost_work_begins_again_and_three_times_at_most() -> None:
    schedule = Schedule(WIDE)
    schedule.tell(Added((task("a"), task("b", "a"))))
    assert begun(schedule, Lost("a")) == ["a"]
    assert begun(schedule, Lost("a")) == ["a"]
    assert schedule.tell(Lost("a")) == (Drop("b", "a"),)
    assert schedule.over


def test_closed_nothing_begins_and_what_runs_is_waited_for() -> None:
    schedule = Schedule(Budget(works=1, cores=1))
    schedule.tell(Added((task("a"), task("b"))))
    assert schedule.tell(Closed()) == ()
    assert not schedule.over
    assert schedule.tell(Done("a")) == ()
    assert schedule.over


def test_what_needs_a_work_that_failed_before_it_was_added_is_given_up() -> None:
    schedule = Schedule(WIDE)
    schedule.tell(Added((task("image"),)))
    schedule.tell(Failed("image"))
    assert schedule.tell(Added((task("build", "image"), task("other")))) == (
        Drop("build", "image"),
        Begin("other"),
    )


def test_what_only_works_out_of_reach_need_is_not_begun() -> None:
    """Nor what is below that; but what runs goes on, and what is wanted for itself is made."""
    tasks = (
        task("source", seconds=9),
        task("blas", "tools"),
        task("tools"),
        task("running", seconds=8),
        replace(task("library"), goal=True),
        task("shared"),
        task("engine", "source", "blas", "running", "library", "shared"),
        task("other", "shared"),
    )
    schedule = Schedule(Budget(works=2, cores=2))
    assert begun(schedule, Added(tasks)) == ["source", "running"]
    decisions = schedule.tell(Unavailable("source"))
    assert {one.id for one in decisions if isinstance(one, Drop)} == {"engine", "blas", "tools"}
    assert schedule.useless == {"blas", "tools"}
    while schedule.running:
        schedule.tell(Done(min(schedule.running)))
    assert schedule.made == {"running", "library", "shared", "other"}


def test_what_a_failed_work_needs_as_well_is_made_all_the_same() -> None:
    """What failed is mended, and then the other half of its needs is there."""
    schedule = Schedule(Budget(works=1))
    tasks = (task("source", seconds=9), task("blas"), task("engine", "source", "blas"))
    assert begun(schedule, Added(tasks)) == ["source"]
    assert begun(schedule, Failed("source")) == ["blas"]


def test_an_end_of_what_does_not_run_is_no_event() -> None:
    schedule = Schedule(WIDE)
    schedule.tell(Added((task("a"),)))
    schedule.tell(Done("a"))
    with pytest.raises(ValueError, match="a does not run"):
        schedule.tell(Done("a"))


def test_compiles_that_share_the_cores_are_slower_and_other_works_are_not() -> None:
    cores = Budget(works=9, cores=2)
    compiles = (task("a", seconds=10, jobs=2), task("b", seconds=10, jobs=2))
    fetch = Task("f", (), 15, Lane.FETCH, cores=0)
    both = forecast((*compiles, fetch), cores)
    assert both.ends == {"a": 20, "b": 20, "f": 15}
    assert forecast(compiles[:1], cores).seconds == 10


def test_what_runs_already_has_only_its_rest_before_it() -> None:
    tasks = (task("a", seconds=10), task("b", "a", seconds=5))
    assert forecast(tasks, WIDE, {"a": 7}).ends == {"a": 3, "b": 8}
    assert forecast(tasks, WIDE, {"a": 99}).seconds == 5
