"""Works at once in real threads: who makes what, what a failure stops, what an interrupt leaves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from buildmatrix.pipeline.crew import Crew
from buildmatrix.schedule.core import Done, Failed
from buildmatrix.schedule.pace import Pace
from buildmatrix.schedule.task import Budget, Lane, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from buildmatrix.pipeline.crew import Ended

LONG = 60.0  # seconds after which a test that waits gives up; none takes so long
BUDGET = Budget(works=9, cores=9, lanes={Lane.OWN: 1})


def crew(make: Callable[[Task], Ended], budget: Budget = BUDGET, **more: object) -> Crew:
    def stop() -> None:
        pass

    given = {"stop": stop, "outlook": lambda *_: None, **more}
    return Crew(budget, make=make, **given)  # type: ignore[arg-type]


def work(one: Crew, *tasks: Task) -> None:
    with one:
        one.add(tasks)
        one.work()


def container(name: str, *needs: str) -> Task:
    return Task(name, needs, lane=Lane.COMPILE)


def own(name: str, *needs: str) -> Task:
    return Task(name, needs, lane=Lane.OWN)


def test_containers_run_at_once_beside_what_the_caller_makes() -> None:
    together = threading.Barrier(3)
    makers: dict[str, threading.Thread] = {}

    def make(task: Task) -> Ended:
        makers[task.id] = threading.current_thread()
        together.wait(LONG)  # none goes on before all three are here
        return Done(task.id)

    work(crew(make), container("a"), container("b"), own("c"))
    assert makers["c"] is threading.current_thread()
    assert len(set(makers.values())) == 3


def test_one_work_at_a_time_has_no_threads() -> None:
    makers: list[threading.Thread] = []

    def make(task: Task) -> Ended:
        makers.append(threading.current_thread())
        return Done(task.id)

    one = crew(make, Budget(works=1, cores=2))
    work(one, container("a"), own("b", "a"), container("c", "b"))
    assert makers == [threading.current_thread()] * 3


def test_what_failed_holds_up_only_what_needs_it() -> None:
    made: list[str] = []

    def make(task: Task) -> Ended:
        made.append(task.id)
        return Failed(task.id) if task.id == "bad" else Done(task.id)

    one = crew(make)
    work(one, container("bad"), container("above", "bad"), container("good"), own("x", "good"))
    assert sorted(made) == ["bad", "good", "x"]
    assert one.schedule.lacking == {"bad": "bad", "above": "bad"}


def test_closed_nothing_more_begins() -> None:
    made: list[str] = []

    def make(task: Task) -> Ended:
        made.append(task.id)
        one.close()
        return Failed(task.id)

    one = crew(make, Budget(works=1))
    work(one, container("a"), container("b"))
    assert made == ["a"]


def test_an_error_in_a_thread_is_the_callers_once_the_others_are_done() -> None:
    begun, ended = threading.Event(), threading.Event()

    def make(task: Task) -> Ended:
        if task.id == "slow":
            begun.set()
            for thread in threading.enumerate():
                if thread.name == "broken":
                    thread.join(LONG)
            ended.set()
            return Done(task.id)
        assert begun.wait(LONG)
        raise ValueError("broken")

    one = crew(make)
    with pytest.raises(ValueError, match="broken"):
        work(one, container("broken"), container("slow"), container("after", "slow"))
    assert ended.is_set()
    assert "after" not in one.schedule.made


@pytest.mark.parametrize("lane", [Lane.OWN, Lane.COMPILE])
def test_an_interrupt_ends_what_threads_wait_for_and_waits_until_they_are_tidy(lane: Lane) -> None:
    """Also one that comes to the caller while it only waits, as a signal does."""
    stopped, running, tidy = threading.Event(), threading.Event(), threading.Event()

    def make(task: Task) -> Ended:
        if task.lane is Lane.OWN:
            assert running.wait(LONG)
            raise KeyboardInterrupt
        running.set()
        assert stopped.wait(LONG)
        tidy.set()
        raise KeyboardInterrupt

    def waiting() -> None:
        with crew(make, stop=stopped.set) as one:
            one.add((container("a"),))
            assert running.wait(LONG)
            if lane is Lane.COMPILE:
                raise KeyboardInterrupt
            one.add((own("b"),))
            one.work()

    with pytest.raises(KeyboardInterrupt):
        waiting()
    assert tidy.is_set()


def test_how_much_is_left_is_told_and_taken_back_at_the_end() -> None:
    outlooks: list[tuple[int, int, float]] = []

    def outlook(running: int, waiting: int, seconds: float) -> None:
        outlooks.append((running, waiting, seconds))

    one = crew(lambda task: Done(task.id), Budget(works=1), outlook=outlook)
    work(one, Task("a", seconds=10), Task("b", ("a",), seconds=20))
    assert outlooks[0] == (1, 1, 30)
    assert outlooks[-1] == (0, 0, 0)


def test_seconds_on_record_are_those_of_a_work_alone() -> None:
    pace = Pace(cores=2)
    first, second = Task("a", jobs=2), Task("b", jobs=2)
    pace.begin(first, 0)
    pace.begin(second, 10)
    pace.begin(Task("f", lane=Lane.FETCH), 10)
    assert pace.elapsed(20) == {"a": 15, "b": 5, "f": 10}
    assert pace.end("a", 30) == 20
    assert pace.end("b", 40) == 20
    assert pace.end("f", 40) == 30
