"""What the schedule knows of a work, and what a machine has for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Lane(StrEnum):
    """What a work keeps busy while it is made."""

    COMPILE = "compile"  # a container with many processes
    SINGLE = "single"  # a container with one process
    FETCH = "fetch"  # mostly waits for the network
    OWN = "own"  # this program itself


@dataclass(frozen=True, slots=True)
class Task:
    """A work as the schedule sees it."""

    id: str
    needs: tuple[str, ...] = ()  # only what has to be made first; no circles
    seconds: float = 1.0  # alone on the machine, on record or guessed
    lane: Lane = Lane.COMPILE
    cores: int = 1  # that it claims of the budget
    jobs: int = 1  # processes that it runs at once; may be more than it claims
    memory_mib: int = 0  # that it may use at most
    goal: bool = False  # wanted for itself, whatever becomes of those that need it


@dataclass(frozen=True, slots=True)
class Budget:
    """What all works together may claim at one moment.

    A work that would claim more than there is of cores or memory claims all there is.
    """

    works: int = 1  # at once
    cores: int = 1
    memory_mib: int = 1 << 40
    lanes: Mapping[Lane, int] = field(default_factory=dict)  # works at once; without: no limit

    def fitted(self, task: Task) -> tuple[int, int]:
        """The cores and the memory in MiB that a task claims of this budget."""
        return min(task.cores, self.cores), min(task.memory_mib, self.memory_mib)


def tails(tasks: Iterable[Task]) -> dict[str, float]:
    """Of each task the seconds from its beginning to the end of the longest chain that waits for
    it, with as many machines as wanted. Needs that are not among the tasks count as made."""
    by_id = {task.id: task for task in tasks}
    return tails_by(by_id, users_of(by_id.values()))


def tails_by(by_id: Mapping[str, Task], users: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The same where it is known what needs each task, users first; only those in `by_id` count."""
    longest: dict[str, float] = {}
    for name in reversed(ordered(by_id, users)):
        after = [longest[user] for user in users[name] if user in longest]
        longest[name] = by_id[name].seconds + (max(after) if after else 0.0)
    return longest


def critical_path(
    tails: Mapping[str, float], users: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The chain of works that takes longest: no number of machines is done sooner.

    `tails` is as `tails_by` makes it, users first; `users` is what needs each.
    """
    path: list[str] = []
    after = [*tails][::-1]  # needs first: of two tails alike, one of which takes no time
    while after:
        path.append(max(after, key=lambda name: tails[name]))
        after = [user for user in users[path[-1]] if user in tails]
    return tuple(path)


def users_of(tasks: Iterable[Task]) -> dict[str, list[str]]:
    """By task, those that need it."""
    users: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for need in dict.fromkeys(task.needs):
            if need in users:
                users[need].append(task.id)
    return users


def ordered(by_id: Mapping[str, Task], users: Mapping[str, Sequence[str]]) -> list[str]:
    """The tasks in an order in which each stands after all that it needs."""
    missing = {
        name: sum(need in by_id for need in dict.fromkeys(task.needs))
        for name, task in by_id.items()
    }
    order = [name for name, count in missing.items() if not count]
    for name in order:  # grows while it is walked
        for user in users[name]:
            if user in missing:
                missing[user] -= 1
                if not missing[user]:
                    order.append(user)
    return order
