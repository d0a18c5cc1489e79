"""The build stage and images, on an engine without containers: what a user is told."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import build, compiler_cache, images, scratch, toolchain, usage
from buildmatrix.cli.building import SUPPLY, TAKERS, reached_by
from buildmatrix.errors import BuildError
from buildmatrix.nouns import Action, Stage, Verb
from buildmatrix.pipeline.making import Outcome
from buildmatrix.protocols import ContainerExit, ContainerSpec
from tests.fakes import LocalEngine, RecordingReporter
from tests.unit import projects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Scripted(LocalEngine):
    """Ends every run the same way, after some lines and with some files in /out."""

    def __init__(self, ended: ContainerExit, lines: tuple[str, ...] = (), made: str = "") -> None:
        super().__init__()
        self.ended, self.lines, self.made = ended, lines, made
        self.specs: list[ContainerSpec] = []

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        self.specs.append(spec)
        for line in self.lines:
            on_line(line)
        out = next((m.host for m in spec.mounts if m.container == "/out"), None)
        if out is not None and self.made:
            (out / self.made).parent.mkdir(parents=True, exist_ok=True)
            (out / self.made).write_text("made")
        return self.ended


def job(tmp_path: Path) -> build.Job:
    (tmp_path / "work").mkdir(exist_ok=True)
    return build.Job(
        id="build:x",
        image="i",
        script="make\n",
        workspace=tmp_path / "work",
        mounts=(),
        ccache=tmp_path / "ccache",
        toolchain="t",
        products=("lib/*.so",),
        memory_gib=2,
        minutes=3,
        jobs=4,
        user=65534,
        labels=(("buildmatrix.key", "k"),),
        log=tmp_path / "logs" / "x.log",
    )


OK = ContainerExit(0, out_of_memory=False, timed_out=False)


def test_a_build_is_limited_logged_and_reproducible(tmp_path: Path) -> None:
    engine = Scripted(OK, ("one", "two"), "lib/x.so")
    said: list[str] = []
    out = build.run(job(tmp_path), engine=engine, on_line=said.append)
    assert (out / "lib" / "x.so").read_text() == "made"
    assert said == ["one", "two"]
    assert (tmp_path / "logs" / "x.log").read_text() == "one\ntwo\n"
    spec = engine.specs[0]
    assert (spec.memory_bytes, spec.timeout_seconds, spec.user) == (2 << 30, 180, "65534:65534")
    assert spec.environment["SOURCE_DATE_EPOCH"] == build.EPOCH
    assert spec.environment["JOBS"] == "4"
    assert [m.container for m in spec.mounts if m.writable] == ["/work", "/out", "/ccache"]
    assert (tmp_path / "work" / "script.sh").read_text() == "set -eu\nmake\n"


@pytest.mark.parametrize(
    ("ended", "lines", "brief", "hint"),
    [
        (
            ContainerExit(2, out_of_memory=False, timed_out=False),
            ("x.c:1: error",),
            "the build script ended with status 2",
            "read ",
        ),
        (
            ContainerExit(137, out_of_memory=True, timed_out=False),
            (),
            "a compile was killed for memory (limit 2 GiB, 4 jobs)",
            "fewer --jobs",
        ),
        (
            ContainerExit(2, out_of_memory=False, timed_out=False),
            ("g++: fatal error: Killed signal terminated program cc1plus",),
            "a compile was killed for memory",
            "fewer --jobs",
        ),
        (
            ContainerExit(137, out_of_memory=False, timed_out=False),
            ("oops",),
            "the build script ended with status 137, a kill, and not for its limit of memory",
            "read ",
        ),
        (
            ContainerExit(137, out_of_memory=False, timed_out=True),
            (),
            "did not finish within 3 minutes",
            "raise `minutes`",
        ),
        (OK, (), "the product 'lib/*.so' was not made", "mend the script or `products`"),
    ],
)
def test_a_failure_says_what_and_what_next(
    tmp_path: Path, ended: ContainerExit, lines: tuple[str, ...], brief: str, hint: str
) -> None:
    with pytest.raises(BuildError) as caught:
        build.run(job(tmp_path), engine=Scripted(ended, lines), on_line=lambda _: None)
    assert brief in caught.value.brief
    assert hint in caught.value.hint
    assert caught.value.where == "build:x"
    if lines:
        assert lines[-1] in caught.value.details


@pytest.mark.parametrize(
    "line",
    [
        "cc1plus: out of memory allocating 65536 bytes after a total of 1 bytes",
        "virtual memory exhausted: Cannot allocate memory",
        "/tmp/ccX.s: Fatal error: memory exhausted",
        "/usr/bin/arm-linux-gnueabihf-ld: memory exhausted",
        "collect2: fatal error: ld terminated with signal 9 [Killed]",
        "LLVM ERROR: out of memory",
        "clang: error: unable to execute command: Killed",
        "ld.lld: error: failed to open out: Cannot allocate memory",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "MemoryError",
        "memory allocation of 1073741824 bytes failed",
        'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
        "make[2]: *** [CMakeFiles/x.dir/build.make:76: x.h] Killed",
    ],
)
def test_every_tools_own_words_for_memory_are_known(tmp_path: Path, line: str) -> None:
    ended = ContainerExit(1, out_of_memory=False, timed_out=False)
    with pytest.raises(BuildError, match="killed for memory"):
        build.run(job(tmp_path), engine=Scripted(ended, (line,)), on_line=lambda _: None)


@pytest.mark.parametrize(
    "line",
    [
        "curl: (6) Could not resolve host: example.org",
        "wget: unable to resolve host address 'example.org'",
        "socket.gaierror: [Errno -3] Temporary failure in name resolution",
        "npm ERR! request failed, reason: getaddrinfo EAI_AGAIN example.org",
        "connect: Network is unreachable",
        "W: Failed to fetch http://d.example/x  Temporary failure resolving 'd.example'",
        "wget: bad address 'example.org'",
        "Error downloading [https://example.org/a.zip] to /a.zip: Unknown host: example.org",
        "java.net.UnknownHostException: example.org",
    ],
)
def test_a_build_that_downloads_is_told_where_sources_go(tmp_path: Path, line: str) -> None:
    ended = ContainerExit(1, out_of_memory=False, timed_out=False)
    with pytest.raises(BuildError, match="builds have no network") as caught:
        build.run(job(tmp_path), engine=Scripted(ended, (line,)), on_line=lambda _: None)
    assert "`sources`" in caught.value.hint


def test_what_a_build_leaves_beside_its_compiler_cache_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ccache counts its own files alone, and `inv gc` keeps the cache of a recipe in the matrix."""
    monkeypatch.setattr(compiler_cache, "MOST", 1 << 20)
    todo = job(tmp_path)
    for size in (1 << 19, 2 << 20):
        build.run(todo, engine=Scripted(OK, (), "lib/x.so"), on_line=lambda _: None)
        (todo.ccache / f"junk-{size}").write_bytes(b"x" * size)
    build.run(todo, engine=Scripted(OK, (), "lib/x.so"), on_line=lambda _: None)
    assert list(todo.ccache.iterdir()) == []


def test_a_child_killed_for_memory_and_made_good_again_is_no_failure(tmp_path: Path) -> None:
    ended = ContainerExit(0, out_of_memory=True, timed_out=False)
    build.run(job(tmp_path), engine=Scripted(ended, (), "lib/x.so"), on_line=lambda _: None)


class Linking(Scripted):
    """Leaves a link in /out, beside what was promised."""

    def __init__(self, link: str, target: str) -> None:
        super().__init__(OK, (), "lib/x.so")
        self.link, self.target = link, target

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        ended = super().run(spec, on_line)
        out = next(m.host for m in spec.mounts if m.container == "/out")
        (out / "p" / "q").mkdir(parents=True)
        (out / "p" / "q" / "up").symlink_to("../..")
        (out / self.link).symlink_to(self.target)
        return ended


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc/passwd", "is an absolute link"),
        ("../../../outside", "is a link out of /out"),
        ("../p/q/up/../outside", "is a link out of /out"),
        ("round", "leads round in a circle"),
    ],
)
def test_a_link_that_leaves_what_was_made_is_refused(
    tmp_path: Path, target: str, words: str
) -> None:
    with pytest.raises(BuildError, match=words):
        build.run(job(tmp_path), engine=Linking("lib/round", target), on_line=lambda _: None)


def test_links_inside_of_what_was_made_stay(tmp_path: Path) -> None:
    out = build.run(job(tmp_path), engine=Linking("lib/y.so", "x.so"), on_line=lambda _: None)
    assert (out / "lib" / "y.so").read_text() == "made"


def test_a_build_that_prints_without_an_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MOST_PRINTED", 1 << 20)
    engine = Scripted(OK, ("x" * 1000,) * 2000, "lib/x.so")
    with pytest.raises(BuildError, match="it printed more than 1 MiB and was ended"):
        build.run(job(tmp_path), engine=engine, on_line=lambda _: None)
    assert (tmp_path / "logs" / "x.log").stat().st_size <= 1 << 20


class Sparse(Scripted):
    """Leaves a file in /out that says that it is large, and takes no room."""

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        out = next(m.host for m in spec.mounts if m.container == "/out")
        with (out / "hole").open("wb") as file:
            file.truncate(build.MOST_MADE + 1)
        return super().run(spec, on_line)


def test_a_file_that_is_larger_than_any_product_is_not_read(tmp_path: Path) -> None:
    engine = Sparse(OK, (), "lib/x.so")
    with pytest.raises(BuildError, match="what it made is larger than 32 GiB, with hole"):
        build.run(job(tmp_path), engine=engine, on_line=lambda _: None)


class Deep(Scripted):
    """Leaves folders in /out that are deeper than Python can go, or longer than a path may be."""

    def __init__(self, name: str, folders: int) -> None:
        super().__init__(OK, (), "lib/x.so")
        self.name, self.folders = name, folders

    def run(self, spec: ContainerSpec, on_line: Callable[[str], None]) -> ContainerExit:
        out = next(m.host for m in spec.mounts if m.container == "/out")
        deep(out, self.name, self.folders)
        return super().run(spec, on_line)


def deep(place: Path, name: str, folders: int) -> None:
    at = os.open(place, os.O_RDONLY)
    for _ in range(folders):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "folders"), [("d", 3000), ("long" * 60, 20)])
def test_folders_without_an_end_are_told_and_go(tmp_path: Path, name: str, folders: int) -> None:
    engine = Deep(name, folders)
    with pytest.raises(BuildError, match="lies deeper than 100 folders or 2000 letters"):
        build.run(job(tmp_path), engine=engine, on_line=lambda _: None)
    assert usage.weight(tmp_path)[1] > 0
    scratch.discard(tmp_path)
    assert not tmp_path.exists()
    gc.collect()  # Python's own way through a folder closes nothing behind itself where it ends so


PACKAGES = ("gcc:amd64=12", "libc6:armhf=2.36")


def no_bootstrap(suite: str, tar: Path, _say: Callable[[str], None]) -> None:
    tar.write_text(suite)


def test_an_image_is_made_proved_and_remembered(tmp_path: Path) -> None:
    found = toolchain.load_all(projects.write(tmp_path) / "toolchains")["tc"]
    engine = Scripted(OK, PACKAGES)

    def ensure(*, rebuild: bool = False) -> toolchain.Identity:
        return images.ensure(
            found,
            engine=engine,
            bootstrap=no_bootstrap,
            lay_out=lambda _: None,
            state=tmp_path / "state",
            reporter=RecordingReporter(),
            rebuild=rebuild,
        )

    assert images.recorded(found, tmp_path / "state") is None
    first = ensure()
    assert first.packages == PACKAGES
    assert [spec.argv[:2] for spec in engine.specs] == [("sh", "smoke.sh"), ("dpkg-query", "-W")]
    assert images.recorded(found, tmp_path / "state") == first
    assert ensure() == first
    assert len(engine.specs) == 2, "an image that is there and known is not probed again"
    engine.lines = ("gcc:amd64=13", "libc6:armhf=2.36")
    second = ensure(rebuild=True)
    assert second.digest != first.digest
    assert images.changed_packages(first, second) == "tc: gcc:amd64 12 -> 13"
    changed = replace(found, cmake_file="other")
    assert images.recorded(changed, tmp_path / "state") is None


def test_a_compiler_that_fails_its_smoke_test_is_no_toolchain(tmp_path: Path) -> None:
    found = toolchain.load_all(projects.write(tmp_path) / "toolchains")["tc"]
    engine = Scripted(ContainerExit(1, out_of_memory=False, timed_out=False), ("Illegal instr",))
    with pytest.raises(BuildError, match="fails its smoke test") as caught:
        images.ensure(
            found,
            engine=engine,
            bootstrap=no_bootstrap,
            lay_out=lambda _: None,
            state=tmp_path / "state",
            reporter=RecordingReporter(),
        )
    assert "Illegal instr" in caught.value.details
    assert images.recorded(found, tmp_path / "state") is None


def test_a_failed_build_is_told_of_submodules_that_its_source_comes_without(tmp_path: Path) -> None:
    """git's archive of a commit leaves an empty folder for each."""
    source = tmp_path / "work/src/net"
    for folder in ("third_party/empty", "third_party/full"):
        (source / folder).mkdir(parents=True)
    (source / "third_party/full/x.h").write_text("")
    (source / ".gitmodules").write_text(
        '[submodule "a"]\n\tpath = third_party/empty\n\turl = ../empty.git\n'
        '[submodule "b"]\n\tpath = third_party/full\n[submodule "c"]\n\tpath=gone\n'
        '[submodule "d"]\n\tpath = ../../../etc\n'
    )
    (tmp_path / "work/src/other").mkdir()
    ended = ContainerExit(2, out_of_memory=False, timed_out=False)
    with pytest.raises(BuildError) as caught:
        build.run(job(tmp_path), engine=Scripted(ended, ("x",)), on_line=lambda _: None)
    assert "source 'net' comes without its submodules gone, third_party/empty: " in str(
        caught.value
    )


@pytest.mark.parametrize("odd", ["pipe", "folder", "link"])
def test_what_is_no_list_of_submodules_is_not_waited_for(tmp_path: Path, odd: str) -> None:
    named = tmp_path / "work/src/net/.gitmodules"
    named.parent.mkdir(parents=True)
    match odd:
        case "pipe":
            os.mkfifo(named)
        case "folder":
            named.mkdir()
        case _:
            named.symlink_to("/dev/zero")
    ended = ContainerExit(2, out_of_memory=False, timed_out=False)
    with pytest.raises(BuildError, match="status 2"):
        build.run(job(tmp_path), engine=Scripted(ended, ()), on_line=lambda _: None)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ([Stage.SOURCE], SUPPLY),
        ([Stage.MODEL], TAKERS),
        ([Stage.MODEL, Stage.SOURCE], f"{SUPPLY}; {TAKERS}"),
    ],
)
def test_what_is_out_of_reach_is_told_with_what_helps(gone: list[Stage], words: str) -> None:
    roots = [Action(stage, "net-one", stage, Verb.BLOCKED, "") for stage in gone]
    above = Action("audit:net-one", "net-one", Stage.AUDIT, Verb.BLOCKED, "")
    outcomes = [Outcome(root, "unavailable") for root in roots]
    assert reached_by([*outcomes, Outcome(above, "unavailable", fault=roots[0].id)]) == words
