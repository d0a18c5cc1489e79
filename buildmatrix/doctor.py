"""Is this machine fit: what `inv doctor` looks at. Looks only; installs nothing."""

from __future__ import annotations

import errno
import os
import platform
import resource
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import disk, extras
from buildmatrix.errors import BuildmatrixError
from buildmatrix.state import State
from buildmatrix.usage import weight
from buildmatrix.virtual import sharing
from buildmatrix.virtual.host import PACKAGES, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DISK_GIB = 10  # an image, a few stacks and a virtual board
MEMORY_GIB = 4
FILES = 256  # open at once; a build with two cells ends at 32
GC = "made by the first build; `inv gc` removes what is of no use any more"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `ok` None: not needed for everything; `hint` says what it is for."""

    name: str
    ok: bool | None
    found: str
    hint: str = ""


def checks(
    state: Path, *, engine_place: Mapping[str, str], mirror: Callable[[], str]
) -> list[Check]:
    return [*_machine(state), _engine(engine_place), _mirror(mirror), *_programs(), _extras()]


def _machine(state: Path) -> Iterator[Check]:
    yield Check("Python", sys.version_info >= (3, 11), platform.python_version(), "3.11 or newer")
    folder = next(p for p in (state, *state.parents) if p.exists())
    free = shutil.disk_usage(folder).free / 2**30
    yield Check(
        "disk",
        free >= DISK_GIB,
        f"{free:.0f} GiB free at {folder}",
        f"{DISK_GIB} GiB are wanted; another place: --state or BUILDMATRIX_STATE",
    )
    yield _state(state)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Check(
        "memory",
        memory >= MEMORY_GIB,
        f"{memory:.0f} GiB, {os.cpu_count()} cores",
        "compile with fewer --jobs",
    )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield Check("open files", files >= FILES, f"{files} at once", disk.RAISE_FILES)


def _state(folder: Path) -> Check:
    if folder.exists() and (path := disk.closed(folder)) is not None:
        refusal = disk.explained(PermissionError(errno.EACCES, "", str(path)))
        return Check("state folder", ok=False, found=f"{path}: {refusal.brief}", hint=refusal.hint)
    return Check("state folder", True if folder.exists() else None, _weights(State(folder)), GC)


def _weights(paths: State) -> str:
    """What the parts of the state folder weigh, the heaviest first."""
    parts = {
        "store": paths.store,
        "downloads": paths.sources,
        "compiler caches": paths.ccaches,
        "virtual boards": paths.virtual,
        "logs": paths.logs,
        "nights": paths.nights,
        "results": paths.results,
    }
    shelf = sharing.shelf_of(paths.root)
    if shelf != paths.virtual:
        parts["images of boards, shared"] = shelf
    bytes_of = {name: weight(path)[0] for name, path in parts.items()}
    heaviest = sorted(bytes_of.items(), key=lambda part: -part[1])
    words = [f"{name} {size / 2**20:.0f} MiB" for name, size in heaviest if size >= 2**19]
    return f"{paths.root}: {', '.join(words) or 'nothing yet'}"


def _engine(place: Mapping[str, str]) -> Check:
    from buildmatrix.container import DockerEngine
    from buildmatrix.container.podman import CATATONIT, DELEGATED

    try:
        engine = DockerEngine(place)
    except BuildmatrixError as error:
        found = f"{error.brief}: {error.details}" if error.details else error.brief
        return Check("container engine", ok=False, found=found, hint=error.hint)
    version, podman = engine.version(), engine.podman
    engine.close()
    if podman and podman.is_old:
        hint = "builds were tried with Podman 4.3 and 5.4: install one of these, or Docker"
        return Check("container engine", ok=False, found=version, hint=hint)
    if podman and podman.lacks_catatonit:
        found = f"{version}, without catatonit"
        return Check("container engine", ok=False, found=found, hint=CATATONIT)
    if podman and podman.limits_no_memory:
        found = f"{version}, a user's own, which limits no container's memory"
        return Check("container engine", ok=None, found=found, hint=DELEGATED)
    return Check("container engine", ok=True, found=version)


def _mirror(mirror: Callable[[], str]) -> Check:
    try:
        mirror()
    except BuildmatrixError as error:
        hint = "set BUILDMATRIX_DEBIAN_MIRROR"
        return Check("Debian mirror", ok=False, found=error.brief, hint=hint)
    return Check("Debian mirror", ok=True, found="read from apt's sources or the setting")


def _programs() -> Iterator[Check]:
    for program, what, package in (
        ("debootstrap", "base image where no image registry answers", "debootstrap"),
        ("git", "sources that are git commits", "git"),
    ):
        found = find(program)
        hint = f"for: {what}; apt-get install {package}"
        yield Check(program, True if found else None, found or "not installed", hint)
    missing = [program for program in PACKAGES if not find(program)]
    packages = " ".join(sorted({PACKAGES[program] for program in missing}))
    yield Check(
        "virtual board",
        None if missing else True,
        f"lacks {', '.join(missing)}" if missing else "all its programs are here",
        f"apt-get install --no-install-recommends {packages}",
    )


def _extras() -> Check:
    """Before long work: `bench` and `compare` need one of them."""
    lacking = [
        f"{name} ({extra.purpose})" for name, extra in extras.EXTRAS.items() if extras.lacks(name)
    ]
    hint = "pip install 'buildmatrix[all]'; bench and compare need verdicts, report --out plots"
    found = f"without {', '.join(lacking)}" if lacking else "all its extras are here"
    return Check("buildmatrix", None if lacking else True, found, hint)
