"""Toolchain images: made when missing, proved by a smoke test, identified by their packages.

What an image turned out to be is recorded under <state>/toolchains/<name>.json, so that a plan
with nothing to do needs no container engine.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix import image_store, scratch
from buildmatrix.errors import BuildError
from buildmatrix.nouns import Stage
from buildmatrix.protocols import ContainerSpec, Mount, Note, Output
from buildmatrix.records import read_record, write_record
from buildmatrix.state import State
from buildmatrix.toolchain import Identity, Toolchain
from buildmatrix.toolchain_lock import changes
from buildmatrix.works import work_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.protocols import Engine, Reporter
    from buildmatrix.remote import Remote

Bootstrap = Callable[[str, Path, Callable[[str], None]], None]  # (suite, tar, on_line)
LayOut = Callable[[Path], None]  # (folder): a toolchain's sources, each below its name
NOBODY = 65534


def worker() -> int:
    """Who works in a container, as a user's number: who started this, and nobody in place of root.

    What is made there is then that user's out here, by rootless Podman too.
    """
    return os.geteuid() or NOBODY


def recorded(toolchain: Toolchain, state: Path) -> Identity | None:
    """What the image of the present definition was, when it was last made or looked at."""
    return _identity(toolchain, read_record(_record(toolchain, state)))


def _identity(toolchain: Toolchain, record: Mapping[str, Any]) -> Identity | None:
    """The image that a record is of; None when that was made from another definition, or when the
    record is none of ours."""
    match record:
        case {"definition": str(definition), "packages": list(packages), "image": str(image)}:
            same = definition == toolchain.definition_digest
            names = tuple(map(str, packages))
            return Identity(toolchain.name, definition, names, image) if same else None
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What several images are; of an image of a former definition, what it was made from."""

    identities: Mapping[str, Identity]  # of the present definitions, by toolchain
    former: Mapping[str, Mapping[str, object]]  # definitions that changed since, by toolchain


def recorded_all(toolchains: Iterable[Toolchain], state: Path) -> Recorded:
    """What is on record of these toolchains' images: one file is read for each."""
    identities: dict[str, Identity] = {}
    former: dict[str, Mapping[str, object]] = {}
    for toolchain in toolchains:
        record = read_record(_record(toolchain, state))
        identity = _identity(toolchain, record)
        if identity is not None:
            identities[toolchain.name] = identity
        elif record:
            written = record.get("written", {})
            former[toolchain.name] = written if isinstance(written, dict) else {}
    return Recorded(identities, former)


def ensure(
    toolchain: Toolchain,
    *,
    engine: Engine,
    bootstrap: Bootstrap,
    lay_out: LayOut,
    state: Path,
    reporter: Reporter,
    rebuild: bool = False,
    remote: Remote | None = None,
) -> Identity:
    """The image: here, or of the shared store, or made. Raises BuildError when it cannot be made or
    fails its test, SourceUnavailable when it lacks a file."""
    subject = work_id(Stage.IMAGE, toolchain.name)

    def say(line: str) -> None:
        reporter.emit(Output(subject, line))

    tag = tag_of(toolchain)
    known = recorded(toolchain, state)
    image = None if rebuild else engine.image_id(tag)
    if image is None and known is not None and not rebuild:
        taken = image_store.borrow_image(remote, known.digest, engine, through=state, say=say)
        image = engine.image_id(tag) if taken else None
    if image is not None and known is not None and known.image == image:
        return known
    if image is None:
        base = _base(toolchain, engine, bootstrap, state, say, anew=rebuild)
        with tempfile.TemporaryDirectory(prefix="buildmatrix-image-") as folder:
            (Path(folder) / "Dockerfile").write_text(toolchain.dockerfile(base=base))
            lay_out(Path(folder))
            image = engine.build_image(Path(folder), tag, say)
    _smoke(toolchain, engine=engine, image=image, say=say)
    identity = Identity(
        toolchain=toolchain.name,
        definition=toolchain.definition_digest,
        packages=_packages(toolchain.name, engine=engine, image=image),
        image=image,
    )
    record = {**asdict(identity), "identity": identity.digest, "written": toolchain.definition}
    write_record(_record(toolchain, state), record)
    if known is not None and known.digest != identity.digest:
        reporter.emit(Note("info", changed_packages(known, identity)))
    return identity


def lend(
    toolchain: Toolchain, identity: Identity, *, engine: Engine, state: Path, remote: Remote
) -> int | None:
    """Put an image into the shared store, where it is not there; its size there in bytes if it was
    put there now."""
    tag = tag_of(toolchain)
    return image_store.lend_image(remote, identity.digest, tag, engine, through=state)


def lend_record(toolchain: Toolchain, *, state: Path, remote: Remote) -> None:
    """Tell other machines what the image turned out to be."""
    image_store.lend_record(remote, read_record(_record(toolchain, state)))


def borrow_records(toolchains: Iterable[Toolchain], state: Path, remote: Remote) -> None:
    """Write down what images are that others made, where nothing is on record here."""
    for toolchain in toolchains:
        image_store.borrow_record(remote, toolchain.definition_digest, _record(toolchain, state))


def present(
    identity: Identity,
    tag: str,
    *,
    engine: Engine,
    remote: Remote | None,
    state: Path,
    say: Callable[[str], None],
) -> str:
    """The engine's id of an image of that identity: under its tag, or out of the shared store.

    Raises BuildError where neither has it: with other packages it would make other bytes.
    """

    def fits(image: str | None) -> bool:
        if image is None or image == identity.image:
            return image is not None
        return _packages(identity.toolchain, engine=engine, image=image) == identity.packages

    image = engine.image_id(tag)
    if not fits(image):
        there = image_store.borrow_image(remote, identity.digest, engine, through=state, say=say)
        image = engine.image_id(tag) if there else None
    if image is None or not fits(image):
        raise BuildError(
            f"the image of {identity.toolchain} is neither here nor in the shared store",
            hint="where the build is started, BUILDMATRIX_SHARED_IMAGES=0 would keep it from there",
        )
    return image


def tag_of(toolchain: Toolchain) -> str:
    """One tag per definition, so that two versions of a toolchain can live side by side."""
    return f"buildmatrix/{toolchain.name}:{toolchain.definition_digest[:16]}"


def base_tag(suite: str) -> str:
    """What the base image of a suite is called that was made here."""
    return f"buildmatrix/base-{suite}:debootstrap"


def changed_packages(old: Identity, new: Identity) -> str:
    """What a rebuild changed, in words."""
    words = "; ".join(changes(old.packages, new.packages))
    return f"{new.toolchain}: {words or 'the definition changed, no package did'}"


COPY = """\
for file; do
  [ -f "$file" ] || continue
  mkdir -p "/export${file%/*}" && cp -L "$file" "/export$file" || exit 1
done
"""
# Debian keeps target libraries in two places: multiarch, and the cross compiler's own.
OWNER = """\
triple=$1; shift
for name; do
  for file in "/usr/lib/$triple/$name" "/lib/$triple/$name" "/usr/$triple/lib/$name"; do
    owner=$(dpkg-query -S "$file" 2>/dev/null) || continue
    owner=${owner%%: *} owner=${owner%%, *}
    dpkg-query -W -f "$name\\t\\${Package}\\t\\${Architecture}\\t\\${Version}\\n" "$owner"
    mkdir -p "/export/${owner%:*}"
    text=/usr/share/doc/${owner%:*}/copyright
    [ ! -f "$text" ] || cp -L "$text" "/export/${owner%:*}/" || exit 1
    break
  done
done
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package of an image."""

    name: str
    architecture: str
    version: str


def owners(
    image: str, triple: str, sonames: tuple[str, ...], destination: Path, *, engine: Engine
) -> Mapping[str, Package]:
    """Which package of an image each library is from, by soname; what none owns is left out.

    The package's copyright file is put into `destination`/PACKAGE/copyright.
    """
    destination.mkdir(parents=True, exist_ok=True)
    destination.chmod(0o777)  # the container's user is nobody, where this one is root
    lines: list[str] = []
    mount = Mount(destination, "/export", writable=True)
    argv = ("sh", "-c", OWNER, "sh", triple, *sonames)
    done = engine.run(_probe(image, argv, (mount,)), lines.append)
    if done.status != 0:
        raise BuildError(f"the packages of {image} cannot be asked for", details="\n".join(lines))
    rows = (line.split("\t") for line in lines if line.count("\t") == 3)
    return {soname: Package(*row) for soname, *row in rows}


def export(image: str, paths: tuple[str, ...], destination: Path, *, engine: Engine) -> None:
    """Copy files out of an image, links followed; the destination mirrors the image's paths.

    What is not there is left out.
    """
    destination.mkdir(parents=True, exist_ok=True)
    destination.chmod(0o777)  # the container's user is nobody, where this one is root
    mount = Mount(destination, "/export", writable=True)
    lines: list[str] = []
    done = engine.run(_probe(image, ("sh", "-c", COPY, "sh", *paths), (mount,)), lines.append)
    if done.status != 0:
        raise BuildError(
            f"files cannot be copied out of {image}",
            where=str(destination),
            details="\n".join(lines[-15:]),
        )


def _record(toolchain: Toolchain, state: Path) -> Path:
    return State(state).toolchain(toolchain.name)


def _base(
    toolchain: Toolchain,
    engine: Engine,
    bootstrap: Bootstrap,
    state: Path,
    say: Callable[[str], None],
    *,
    anew: bool,
) -> str:
    """A base image: by digest from a registry, else made here, once for all toolchains of a suite.

    `anew`: one that was made before does not do.
    """
    spec = toolchain.spec
    reference = f"{spec.base.image}@{spec.base.digest}"
    say(f"base: asking an image registry for {reference[:40]}…")
    if engine.pull(reference) is not None:
        return reference
    tag = base_tag(spec.suite)
    if not anew and engine.image_id(tag) is not None:
        say(f"base: no registry answers; {tag} is there")
        return tag
    say(f"base: no registry answers; debootstrap of {spec.suite}")
    state.mkdir(parents=True, exist_ok=True)
    with scratch.folder(state, "base-") as folder:
        tar = folder / "base.tar"
        bootstrap(spec.suite, tar, say)
        engine.import_rootfs(tar, tag)
    return tag


def _smoke(toolchain: Toolchain, *, engine: Engine, image: str, say: Callable[[str], None]) -> None:
    """Compile C, C++, threads and NEON intrinsics, and run them under the emulator."""
    spec = toolchain.spec
    script = toolchain.folder / spec.smoke
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        say(line)

    done = engine.run(
        _probe(
            image,
            ("sh", script.name, spec.target.triple, spec.emulator, *spec.flags),
            (Mount(script.parent.resolve(), "/smoke"),),
        ),
        keep,
    )
    if done.status != 0:
        raise BuildError(
            f"the image of {toolchain.name} fails its smoke test (exit {done.status})",
            where=str(script),
            details="\n".join(lines[-15:]),
            hint="mend the toolchain's packages or flags; nothing is built with it before",
        )


def _packages(toolchain: str, *, engine: Engine, image: str) -> tuple[str, ...]:
    lines: list[str] = []
    query = ("dpkg-query", "-W", "-f", "${Package}:${Architecture}=${Version}\n")
    done = engine.run(_probe(image, query, ()), lines.append)
    found = tuple(sorted(line for line in lines if re.fullmatch(r"[^=\s]+=[^=\s]+", line)))
    if done.status != 0 or not found:
        raise BuildError(f"the image of {toolchain} does not list its packages")
    return found


def _probe(image: str, argv: tuple[str, ...], mounts: tuple[Mount, ...]) -> ContainerSpec:
    return ContainerSpec(
        image=image,
        argv=argv,
        mounts=mounts,
        environment={"LC_ALL": "C"},
        workdir=mounts[0].container if mounts else "/",
        memory_bytes=2 << 30,
        timeout_seconds=300,
        labels={"buildmatrix.work": "probe"},
        user=f"{worker()}:{worker()}",
    )
