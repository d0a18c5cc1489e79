"""Works as tasks: what making each keeps busy, and how much of a machine all may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from buildmatrix.nouns import Stage
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.schedule.task import Budget, Lane, Task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from buildmatrix.nouns import Action
    from buildmatrix.works import Work

FETCHES = 4  # downloads at once: they wait for one line
# A second compile fills the cores while the first configures or links; on a large machine there is
# one more for every eight cores, as few libraries have always more than sixteen files to compile.
COMPILES = 2
CORES_EACH = 8


@dataclass(frozen=True, slots=True)
class Machine:
    """What a build may use of the machine that it runs on."""

    cores: int
    memory_mib: int
    works: int = 0  # at once; 0: as many as cores and memory carry
    slots: int = 0  # compiles at once, of several machines together; 0: by the cores of this one

    def budget(self) -> Budget:
        """What all works together may claim at one moment."""
        lanes = {
            Lane.COMPILE: self.compiles,
            Lane.SINGLE: self.cores,
            Lane.FETCH: FETCHES,
            Lane.OWN: 1,
        }
        return Budget(self.works or sum(lanes.values()), self.cores, self.memory_mib, lanes)

    @property
    def compiles(self) -> int:
        """How many works with many processes run at once."""
        one = 1 if self.cores == 1 else max(COMPILES, self.cores // CORES_EACH)
        most = self.slots or one
        return min(most, self.works or most)

    def processes(self, at_once: int) -> int:
        """How many processes each of so many compiles runs.

        Compiles at once share the cores evenly. Each runs up to twice its share: the kernel evens
        them out, and what is left alone on the machine still fills it.
        """
        return min(self.cores, -(-2 * self.cores // at_once))

    @property
    def patience(self) -> int:
        """How many times as long as alone a compile may take beside the others."""
        return 2 if self.compiles > 1 else 1


def tasks(
    actions: Iterable[Action],
    works: Mapping[str, Work],
    machine: Machine,
    goals: Collection[str] = (),
) -> tuple[Task, ...]:
    """What is to be made of these actions, with their expected seconds, as tasks."""
    wanted = tuple(actions)
    compiles = sum(lane(works[action.id]) is Lane.COMPILE for action in wanted)
    at_once = min(machine.compiles, max(1, compiles))
    jobs = machine.processes(at_once)
    share = max(1, machine.cores // at_once)
    made = []
    for action in wanted:
        work = works[action.id]
        kind = lane(work)
        made.append(
            Task(
                id=action.id,
                needs=action.needs,
                seconds=action.predicted_seconds or 0.0,
                lane=kind,
                cores=share if kind is Lane.COMPILE else 0,
                jobs=jobs,
                memory_mib=_memory(work),
                goal=action.id in goals,
            )
        )
    return tuple(made)


def lane(work: Work) -> Lane:
    """What making a work keeps busy."""
    match work.stage:
        case Stage.BUILD:
            return Lane.COMPILE
        case Stage.RUNNER:
            return Lane.SINGLE
        case Stage.SOURCE:
            return Lane.FETCH
        case Stage.IMAGE | Stage.MODEL | Stage.BUNDLE | Stage.AUDIT:
            return Lane.OWN
        case _ as never:
            assert_never(never)


def _memory(work: Work) -> int:
    """The limit of a work's container in MiB; nothing for a work that has none."""
    return work.subject.limits.memory_gib << 10 if isinstance(work.subject, ResolvedBuild) else 0
