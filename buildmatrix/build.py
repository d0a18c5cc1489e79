"""Build one unit in a container: no network, inputs read-only, not root, limited, logged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildError
from buildmatrix.protocols import ContainerSpec, Engine, Mount

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from buildmatrix.protocols import ContainerExit

EPOCH = "1483228800"  # 2017-01-01, for SOURCE_DATE_EPOCH: any fixed time will do
TAIL = 25  # log lines that an error carries

# A shell's 'Killed' or the compiler driver's word when its child was: the cgroup flag alone does
# not tell, since it is the compiler that is killed, not the container's first process.
MEMORY_SIGNS = ("Killed signal terminated program", "internal compiler error: Killed")


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and where its files are. Paths are the host's."""

    id: str
    image: str
    script: str
    workspace: Path  # holds work/ and out/, made here
    mounts: tuple[Mount, ...]  # sources, dependencies, recipe files; all read-only
    ccache: Path
    products: tuple[str, ...]  # globs that must each match a file in out/
    memory_gib: int
    minutes: int
    jobs: int
    user: int  # uid and gid inside, never 0
    labels: tuple[tuple[str, str], ...]
    log: Path


def run(job: Job, *, engine: Engine, on_line: Callable[[str], None]) -> Path:
    """Perform the job; returns the folder of what it made. Raises BuildError."""
    out, work = job.workspace / "out", job.workspace / "work"
    job.log.parent.mkdir(parents=True, exist_ok=True)
    for folder in (out, work, job.ccache):
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:  # the container's user is somebody else then
            os.chown(folder, job.user, job.user)
    script = job.workspace / "script.sh"
    script.write_text(f"set -eu\n{job.script}")
    tail: list[str] = []
    with job.log.open("w") as log:

        def record(line: str) -> None:
            log.write(line + "\n")
            tail.append(line)
            del tail[:-200]
            on_line(line)

        ended = engine.run(_spec(job, script, work, out), record)
    _judge(job, ended, tail)
    _collect(job, out)
    return out


def _spec(job: Job, script: Path, work: Path, out: Path) -> ContainerSpec:
    return ContainerSpec(
        image=job.image,
        argv=("sh", "/script.sh"),
        mounts=(
            *job.mounts,
            Mount(script, "/script.sh"),
            Mount(work, "/work", writable=True),
            Mount(out, "/out", writable=True),
            Mount(job.ccache, "/ccache", writable=True),
        ),
        environment={
            "HOME": "/work",
            "JOBS": str(job.jobs),
            "PATH": "/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin",
            "CCACHE_DIR": "/ccache",
            "SOURCE_DATE_EPOCH": EPOCH,
            "LC_ALL": "C",
            "TZ": "UTC",
        },
        workdir="/work",
        memory_bytes=job.memory_gib << 30,
        timeout_seconds=job.minutes * 60,
        labels=dict(job.labels),
        user=f"{job.user}:{job.user}",
    )


def _judge(job: Job, ended: ContainerExit, tail: list[str]) -> None:
    if ended.status == 0 and not ended.timed_out:
        return
    killed = ended.out_of_memory or any(sign in line for line in tail for sign in MEMORY_SIGNS)
    if ended.timed_out:
        brief, hint = (
            f"did not finish within {job.minutes} minutes",
            "raise `minutes` in the recipe",
        )
    elif killed:
        brief = f"a compile was killed for memory (limit {job.memory_gib} GiB, {job.jobs} jobs)"
        hint = "run with fewer --jobs, or raise `memory_gib` in the recipe"
    else:
        brief = f"the build script ended with status {ended.status}"
        hint = f"read {job.log}"
    raise BuildError(brief, where=job.id, details="\n".join(tail[-TAIL:]), hint=hint)


def _collect(job: Job, out: Path) -> None:
    for pattern in job.products:
        if not any(out.glob(pattern)):
            made = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
            raise BuildError(
                f"the product '{pattern}' was not made",
                where=job.id,
                details="\n".join(["what is there:", *made[:20]]) if made else "/out is empty",
                hint=f"mend the script or `products`; the log is {job.log}",
            )
