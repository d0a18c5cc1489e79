"""Build one unit in a container: no network, inputs read-only, not root, limited, logged."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import compiler_cache, scratch, submodules
from buildmatrix.build_failure import Limits, explained
from buildmatrix.errors import BuildError
from buildmatrix.protocols import ContainerSpec, Engine, Mount
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.protocols import ContainerExit

EPOCH = "1483228800"  # 2017-01-01, for SOURCE_DATE_EPOCH: any fixed time will do
WORK = "/work"
TAIL = 25  # log lines that an error carries
FEW = 5  # submodules that it names
MOST_PRINTED = 256 << 20  # characters of a log; TensorFlow's verbose build prints a tenth of it
MOST_DEEP, LONGEST = 100, 2_000  # folders in /out, and letters of their names together
MOST_MADE = 32 << 30  # bytes of all files in /out as they say it: a sparse one may say anything


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and where its files are. Paths are the host's."""

    id: str
    image: str
    script: str
    workspace: Path  # holds work/ and out/, made here
    mounts: tuple[Mount, ...]  # sources, dependencies, recipe files; all read-only
    ccache: Path  # of this recipe and toolchain alone
    toolchain: str  # digest of its definition
    products: tuple[str, ...]  # globs that must each match a file in out/
    memory_gib: int
    minutes: int
    jobs: int
    user: int  # uid and gid inside, never 0
    labels: tuple[tuple[str, str], ...]
    log: Path
    home: str = WORK  # where the container has its working folder
    told_log: str = ""  # the log as people are told of it, where that is another's

    @property
    def log_name(self) -> str:
        return self.told_log or str(self.log)


def run(job: Job, *, engine: Engine, on_line: Callable[[str], None]) -> Path:
    """Perform the job; returns the folder of what it made. Raises BuildError."""
    container = prepared(job)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    scratch.make_way(job.log)
    tail: list[str] = []
    printed = 0
    with job.log.open("w") as log:

        def record(line: str) -> None:
            nonlocal printed
            printed += len(line) + 1
            if printed > MOST_PRINTED:
                raise BuildError(
                    f"it printed more than {MOST_PRINTED >> 20} MiB and was ended",
                    where=job.id,
                    hint=f"make the script print less; the log is {job.log}",
                )
            log.write(line + "\n")
            tail.append(line)
            del tail[:-200]
            on_line(line)

        ended = engine.run(container, record)
    _judge(job, ended, tail)
    out = job.workspace / "out"
    _collect(job, out)
    return out


def prepared(job: Job) -> ContainerSpec:
    """The container of a job, its folders and its script ready in the workspace."""
    out, work = job.workspace / "out", job.workspace / "work"
    compiler_cache.bound(job.ccache)
    for folder in (out, work, job.ccache):
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:  # the container's user is somebody else then
            _hand_over(folder, job.user)
    (job.workspace / "ccache.conf").write_text(
        compiler_cache.configuration(job.toolchain, job.mounts)
    )
    script = job.workspace / "script.sh"
    script.write_text(f"set -eu\n{job.script}")
    return _spec(job, script, work, out)


def _hand_over(folder: Path, user: int) -> None:
    """Give a folder to a user, and all in it where something there is another's: root's copy of a
    state folder keeps no owners, and ccache would fail every build."""
    if any(path.lstat().st_uid != user for path in (folder, *folder.iterdir())):
        for _, folders, files, at in os.fwalk(folder):  # which a build of now cannot lead elsewhere
            os.chown(at, user, user)
            for name in (*folders, *files):
                os.chown(name, user, user, dir_fd=at, follow_symlinks=False)


def _spec(job: Job, script: Path, work: Path, out: Path) -> ContainerSpec:
    return ContainerSpec(
        image=job.image,
        argv=("sh", "/script.sh"),
        mounts=(
            *job.mounts,
            Mount(script, "/script.sh"),
            Mount(job.workspace / "ccache.conf", "/ccache.conf"),
            Mount(work, job.home, writable=True),
            Mount(out, "/out", writable=True),
            Mount(job.ccache, "/ccache", writable=True),
        ),
        environment={
            "HOME": job.home,
            "JOBS": str(job.jobs),
            "PATH": "/usr/lib/ccache:/usr/local/bin:/usr/bin:/bin",
            "CCACHE_DIR": "/ccache",
            "CCACHE_CONFIGPATH": "/ccache.conf",
            "SOURCE_DATE_EPOCH": EPOCH,
            "LC_ALL": "C",
            "TZ": "UTC",
        },
        workdir=job.home,
        memory_bytes=job.memory_gib << 30,
        timeout_seconds=job.minutes * 60,
        labels=dict(job.labels),
        user=f"{job.user}:{job.user}",
    )


def _judge(job: Job, ended: ContainerExit, tail: list[str]) -> None:
    if ended.status == 0 and not ended.timed_out:
        return  # a child that was killed for memory and made good again is no failure
    limits = Limits(job.memory_gib, job.minutes, job.jobs)
    brief, hint = explained(ended, tail, limits, job.log_name)
    details = [*tail[-TAIL:], *_without_submodules(job)]
    raise BuildError(brief, where=job.id, details="\n".join(details), hint=hint)


def _without_submodules(job: Job) -> Iterator[str]:
    """A sentence for each source of the job that has submodules of which nothing is there."""
    for folder in sorted((job.workspace / "src").glob("*/")):
        if paths := submodules.absent(folder):
            yield (
                f"source '{folder.name}' comes without its submodules {some(paths, FEW)}: where "
                "the build wants one, make it a source of its own, and copy it there in the script"
            )


def _collect(job: Job, out: Path) -> None:
    """See that what was promised is there, and that nothing in it reaches out of it."""
    size, there = 0, _made(job, out)
    for path in there:
        if (fault := _stray(path, out)) is not None:
            raise BuildError(
                f"{path.relative_to(out)} {fault}",
                where=job.id,
                hint="make a relative link that stays in /out, or copy the file",
            )
        size += path.lstat().st_size
        if size > MOST_MADE:
            raise BuildError(
                f"what it made is larger than {MOST_MADE >> 30} GiB, with {path.relative_to(out)}",
                where=job.id,
                hint="leave in /out what is shipped or needed by another recipe",
            )
    for pattern in job.products:
        if not any(out.glob(pattern)):
            made = [path.relative_to(out).as_posix() for path in there if path.is_file()]
            raise BuildError(
                f"the product '{pattern}' was not made",
                where=job.id,
                details="\n".join(["what is there:", *made[:20]]) if made else "/out is empty",
                hint=f"mend the script or `products`; the log is {job.log_name}",
            )


def _made(job: Job, out: Path) -> list[Path]:
    """What is in /out, sorted. Raises BuildError before it goes deeper than any product lies."""
    found: list[Path] = []
    for name, folders, files in os.walk(out):
        folder = Path(name)
        inside = folder.relative_to(out).as_posix()
        if len(folder.parts) - len(out.parts) > MOST_DEEP or len(inside) > LONGEST:
            raise BuildError(
                f"what it made lies deeper than {MOST_DEEP} folders or {LONGEST} letters",
                where=job.id,
                details=inside[:200],
                hint="leave in /out what is shipped or needed by another recipe",
            )
        found += [folder / one for one in (*folders, *files)]
    return sorted(found)


def _stray(path: Path, out: Path) -> str | None:
    """What is wrong with a file in /out, or None. A link of the container's would be followed on
    the host, to the host's file."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        link = path.readlink()
        if link.is_absolute():
            return f"is an absolute link, to {link}"
        try:
            path.stat()
        except OSError as error:  # Path.resolve() has not told a circle since Python 3.13
            if error.errno == errno.ELOOP:
                return f"is a link that leads round in a circle, to {link}"
        inside = path.resolve().is_relative_to(out.resolve())
        return None if inside else f"is a link out of /out, to {link}"
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "is neither file, folder nor link"
