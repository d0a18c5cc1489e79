"""What an Engine promises: one suite for the fake and the real one; isolation on the latter."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import images
from buildmatrix.container import MOST_PROCESSES, DockerEngine
from buildmatrix.errors import BuildError
from buildmatrix.protocols import ContainerSpec, Mount
from tests.boards import STATE
from tests.fakes import LocalEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from buildmatrix.protocols import ContainerExit, Engine

TAG = "buildmatrix/test-busybox:3"
PEM = "-----BEGIN CERTIFICATE-----\nbWFkZSB1cA==\n-----END CERTIFICATE-----\n"
SHARED = ("tmp", "in", "out")
KEY = f"contract-{os.getpid()}"  # the containers of this run, and of no other beside it


@pytest.fixture(scope="module")
def docker() -> Iterator[tuple[Engine, str]]:
    """A real engine with the smallest image that has a shell: busybox alone."""
    engine = DockerEngine(os.environ)
    if engine.image_id(TAG) is None:
        engine.import_rootfs(busybox(STATE / "busybox.tar"), TAG)
    yield engine, TAG
    engine.close()


def busybox(path: Path) -> Path:
    """The host's static busybox as a root file system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for folder in ("bin", "etc", "proc", "sys", "dev", "tmp", "in", "out"):
            member = tarfile.TarInfo(folder)
            # A `dev` that all may write keeps its mode, and what is in such a folder and not one's
            # own, as rootless Podman's /dev/null, cannot be opened by `>`.
            member.type, member.mode = tarfile.DIRTYPE, 0o1777 if folder in SHARED else 0o755
            tar.addfile(member)
        passwd = b"root:x:0:0::/:/bin/sh\n"
        member = tarfile.TarInfo("etc/passwd")
        member.size = len(passwd)
        tar.addfile(member, io.BytesIO(passwd))
        tar.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "cat", "sleep", "id", "ls", "mkdir", "rm", "touch", "dd", "true"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return path


def another(engine: Engine) -> Engine:
    """A second client of the same engine."""
    return DockerEngine(os.environ) if isinstance(engine, DockerEngine) else LocalEngine()


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> tuple[Engine, str]:
    if request.param == "local":
        return LocalEngine(), "any"
    found: tuple[Engine, str] = request.getfixturevalue("docker")
    return found


def spec(image: str, script: str, *mounts: Mount, seconds: float = 60) -> ContainerSpec:
    return ContainerSpec(
        image=image,
        argv=("sh", "-c", script),
        mounts=mounts,
        environment={"GREETING": "hello"},
        workdir="/",
        memory_bytes=64 << 20,
        timeout_seconds=seconds,
        labels={"buildmatrix.key": KEY},
        user="65534:65534",
    )


def run(
    engine: tuple[Engine, str], script: str, *mounts: Mount, seconds: float = 60
) -> tuple[ContainerExit, list[str]]:
    lines: list[str] = []
    return engine[0].run(spec(engine[1], script, *mounts, seconds=seconds), lines.append), lines


def test_status_and_lines_in_order(engine: tuple[Engine, str]) -> None:
    ended, lines = run(engine, 'echo one; echo two >&2; printf "$GREETING"; exit 3')
    assert (ended.status, ended.timed_out, ended.out_of_memory) == (3, False, False)
    assert sorted(lines) == ["hello", "one", "two"]


@pytest.mark.docker
def test_a_container_that_the_engine_does_not_start_is_one_failure_in_its_words(
    docker: tuple[Engine, str],
) -> None:
    engine, image = docker
    with pytest.raises(BuildError, match="the container engine starts no container") as refused:
        engine.run(spec("buildmatrix/none:1", "true"), print)
    assert re.search("[Nn]o such image: .*buildmatrix/none:1", str(refused.value))
    with pytest.raises(BuildError) as refused:
        engine.run(replace(spec(image, "true"), workdir="relative"), print)
    assert re.search("relative|must be an absolute path", str(refused.value))
    with pytest.raises(BuildError, match="the container engine starts no container") as refused:
        engine.run(replace(spec(image, "true"), user="stranger"), print)
    assert "unable to find user stranger" in str(refused.value)


def test_last_words_arrive_each_time(engine: tuple[Engine, str]) -> None:
    for _ in range(12):
        _, lines = run(engine, "echo begun; printf 'ld: cannot find -lm'")
        assert lines == ["begun", "ld: cannot find -lm"]


def test_lines_of_both_streams_come_in_the_order_of_writing(engine: tuple[Engine, str]) -> None:
    for _ in range(6):
        _, lines = run(engine, "echo compiling; echo 'no such header' >&2; echo ended")
        assert lines == ["compiling", "no such header", "ended"]


def test_stopped_what_runs_ends_and_nothing_begins(engine: tuple[Engine, str]) -> None:
    own, image = another(engine[0]), engine[1]
    begun, interrupted = threading.Event(), threading.Event()

    def sleep() -> None:
        try:
            own.run(spec(image, "echo begun; exec sleep 600"), lambda _: begun.set())
        except KeyboardInterrupt:
            interrupted.set()

    thread = threading.Thread(target=sleep)
    thread.start()
    begun.wait(1)  # the local one hands out lines at the end; every moment is good for a stop
    own.stop()
    thread.join(120)
    assert interrupted.is_set()
    with pytest.raises(KeyboardInterrupt):
        own.run(spec(image, "true"), lambda _: None)
    assert own.remove_stale("buildmatrix.key", KEY) == 0, "nothing is left"
    if isinstance(own, DockerEngine):
        own.close()


def test_many_lines_all_arrive(engine: tuple[Engine, str]) -> None:
    ended, lines = run(engine, "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")
    assert ended.status == 0
    assert lines == [f"line {i}" for i in range(5000)]


def test_a_line_without_an_end_is_several(engine: tuple[Engine, str]) -> None:
    ended, lines = run(engine, "dd if=/dev/zero bs=1048576 count=8 2> /dev/null")
    assert ended.status == 0
    assert sum(map(len, lines)) == 8 << 20
    assert isinstance(engine[0], LocalEngine) or max(map(len, lines)) <= 1 << 20


@pytest.mark.docker
def test_no_proxy_of_this_machine_and_no_endless_processes_in_a_container(
    docker: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker's client hands the proxies of its configuration, passwords too, to every container."""
    proxies = {"default": {"httpProxy": "http://me:secret@proxy:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    own = DockerEngine(os.environ)
    lines: list[str] = []
    script = "set; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2> /dev/null"
    own.run(spec(docker[1], script), lines.append)
    own.close()
    assert "secret" not in "\n".join(lines)
    assert str(MOST_PROCESSES) in lines


def test_bytes_that_are_no_text_do_not_end_it(engine: tuple[Engine, str]) -> None:
    ended, lines = run(engine, r"printf 'a\377b\n'")
    assert (ended.status, lines) == (0, ["a\ufffdb"])


def test_a_silent_program_is_ended_at_its_deadline(engine: tuple[Engine, str]) -> None:
    began = time.monotonic()
    ended, _ = run(engine, "exec sleep 600", seconds=1.5)
    assert ended.timed_out
    assert time.monotonic() - began < 300, "long before it would have ended"


def test_an_unknown_image_is_none(engine: tuple[Engine, str]) -> None:
    assert engine[0].image_id("buildmatrix/never-made:1") is None
    assert engine[0].remove_stale("buildmatrix.key", "never") == 0


def test_images_are_listed_by_their_tags_and_removed_by_one(
    engine: tuple[Engine, str], tmp_path: Path
) -> None:
    tag = f"buildmatrix/test-listed-{os.getpid()}:1"
    engine[0].import_rootfs(busybox(tmp_path / "busybox.tar"), tag)
    assert [one.tag for one in engine[0].images(tag.partition(":")[0])] == [tag]
    (image,) = engine[0].images(tag)
    assert image.size > 0
    assert image.made > 0
    assert engine[0].remove_image(tag)
    assert engine[0].images(tag) == ()
    assert engine[0].remove_image(tag), "it is gone already"


@pytest.mark.docker
def test_inside_there_is_no_network_no_root_no_writing(
    docker: tuple[Engine, str], tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("given")
    tmp_path.chmod(0o777)  # so that only the mount forbids writing
    script = "id -u; ls /sys/class/net; cat /in/x; touch /in/y; echo $?"
    ended, lines = run(docker, script, Mount(tmp_path, "/in"))
    assert ended.status == 0
    assert "65534" in lines
    assert "lo" in lines
    assert "eth0" not in lines
    assert any("Read-only file system" in line for line in lines)
    assert "given" in " ".join(lines)
    assert not (tmp_path / "y").exists()


@pytest.mark.docker
def test_a_writable_mount_brings_files_out(docker: tuple[Engine, str], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    run(docker, "echo made > /out/made", out(tmp_path))
    assert (tmp_path / "made").read_text() == "made\n"


@pytest.mark.docker
def test_what_is_made_in_a_mount_is_whose_who_asked_is(
    docker: tuple[Engine, str], tmp_path: Path
) -> None:
    """Also by an engine that is the user's own: a folder of somebody else's could not be removed.
    Nobody stands in for root."""
    user = images.worker()
    os.chown(tmp_path, user, user)
    mine = spec(docker[1], "id -u; mkdir /out/folder; echo > /out/folder/made", out(tmp_path))
    lines: list[str] = []
    ended = docker[0].run(replace(mine, user=f"{user}:{user}"), lines.append)
    assert (ended.status, lines) == (0, [str(user)])
    assert {path.stat().st_uid for path in (tmp_path / "folder", tmp_path / "folder/made")} == {
        user
    }


def out(folder: Path) -> Mount:
    return Mount(folder, "/out", writable=True)


@pytest.mark.docker
def test_too_much_memory_is_told(docker: tuple[Engine, str]) -> None:
    ended, _ = run(docker, "exec dd if=/dev/zero of=/dev/null bs=500M count=1")
    assert ended.status == 137
    assert ended.out_of_memory


@pytest.mark.docker
def test_a_child_that_ran_out_of_memory_and_was_made_good_is_no_failure(
    docker: tuple[Engine, str],
) -> None:
    """Docker 20.10 and Podman 5.4 say OOMKilled of the container then; its status says it all."""
    ended, lines = run(docker, "dd if=/dev/zero of=/dev/null bs=500M count=1; echo $?; exit 0")
    assert (ended.status, ended.out_of_memory) == (0, False)
    assert lines[-1] == "137"


@pytest.mark.docker
def test_nothing_is_left_behind(docker: tuple[Engine, str]) -> None:
    run(docker, "true")
    assert docker[0].remove_stale("buildmatrix.key", KEY) == 0
    with pytest.raises(ZeroDivisionError):
        docker[0].run(spec(docker[1], "echo x; exec sleep 600"), lambda _: 1 / 0)  # type: ignore[arg-type]
    assert docker[0].remove_stale("buildmatrix.key", KEY) == 0


@pytest.mark.docker
def test_containers_that_go_while_they_are_looked_for_are_no_error(
    docker: tuple[Engine, str],
) -> None:
    """As after an interrupt, when one thread removes what another one is listing."""
    own, image = docker
    assert isinstance(own, DockerEngine)
    labels = {"buildmatrix.state": KEY, "buildmatrix.owner": "somebody"}
    ended = threading.Event()

    def come_and_go() -> None:
        for _ in range(12):
            own.run(replace(spec(image, "true"), labels=labels), lambda _: None)
        ended.set()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    seen: set[str] = set()
    while not ended.is_set() and thread.is_alive():
        seen |= own.owners(KEY)
        time.sleep(0.02)  # Podman locks each container that it lists, and would do nothing else
    thread.join(60)
    assert ended.is_set()
    assert seen == {"somebody"}
    assert own.owners(KEY) == frozenset()


@pytest.mark.docker
def test_an_image_is_made_behind_a_proxy_and_does_not_keep_it(
    docker: tuple[Engine, str], tmp_path: Path
) -> None:
    _, base = docker
    (tmp_path / "Dockerfile").write_text(f'FROM {base}\nRUN echo "by way of $http_proxy"\n')
    lines: list[str] = []
    proxy = "http://me:secret@proxy.example:3128"
    engine = DockerEngine(os.environ, network={"http_proxy": proxy})
    image = engine.build_image(tmp_path, "buildmatrix/test-proxied:1", lines.append)
    assert f"by way of {proxy}" in lines
    kept = engine.client.images.get(image)
    assert "secret" not in json.dumps([kept.history(), kept.attrs])
    engine.client.images.remove("buildmatrix/test-proxied:1")
    engine.close()


SETTINGS = """
SHELL ["/bin/sh", "-ec"]
ENV GREETING="it's \\"10 \\$\\" \\\\o/" EMPTY=
LABEL whose="a person's"
WORKDIR /in
USER 65534
ENTRYPOINT ["sh", "-c"]
CMD ["echo $GREETING"]
"""


@pytest.mark.docker
def test_an_image_is_made_by_a_ca_of_ones_own_and_does_not_keep_it(
    docker: tuple[Engine, str], tmp_path: Path
) -> None:
    """Not its files in any layer, and not how it was made; what else was set stays. Where nothing
    is by TLS nobody needs it."""
    _, base = docker
    (tmp_path / "ca.pem").write_text(f"A company's\n{PEM}{PEM}")
    (tmp_path / "made").mkdir()
    dockerfile = tmp_path / "made" / "Dockerfile"
    steps = 'RUN cat "$SSL_CERT_FILE" "$APT_CONFIG"\n'
    tag = "buildmatrix/test-trusting:1"
    lines: list[str] = []
    network = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    engine = DockerEngine(os.environ, network=network, mirror=lambda: "https://here.example")
    plain = DockerEngine(os.environ, network=network)
    try:
        dockerfile.write_text(f"FROM {base}\n{SETTINGS}")
        wanted = settings_of(plain, plain.build_image(dockerfile.parent, tag, print))
        dockerfile.write_text(f"FROM {base} AS one\nFROM one\nUSER 0\n{steps}{SETTINGS}")
        image = engine.build_image(dockerfile.parent, tag, lines.append)
        assert lines.count("bWFkZSB1cA==") == 1
        assert any("CaInfo" in line for line in lines)
        assert settings_of(engine, image) == wanted
        assert image == engine.image_id(tag)
        kept = b"".join(engine.save_image(tag))
        assert b"bWFkZSB1cA==" not in kept
        assert b"buildmatrix-trusted" not in kept
        assert "bWFkZSB1cA==" not in json.dumps(engine.client.images.get(tag).history())

        dockerfile.write_text(f"FROM {base}\nRUN false\n")
        with pytest.raises(BuildError, match=f"image {tag} cannot be built"):
            engine.build_image(dockerfile.parent, tag, print)
        assert engine.client.api.images(all=True, filters={"label": "buildmatrix.making"}) == []
        assert dockerfile.read_text() == f"FROM {base}\nRUN false\n"
    finally:
        engine.remove_image(tag)
        engine.close()
        plain.close()


def settings_of(engine: DockerEngine, image: str) -> list[object]:
    config = engine.client.images.get(image).attrs["Config"]
    names = ("Env", "WorkingDir", "User", "Entrypoint", "Cmd", "Labels")
    return [config.get(name) or None for name in names]


@pytest.mark.docker
def test_what_a_killed_making_of_an_image_left_goes_with_its_maker(
    docker: tuple[Engine, str], tmp_path: Path
) -> None:
    _, base = docker
    labels = {"buildmatrix.state": KEY, "buildmatrix.owner": "killed"}
    lines = "".join(f"LABEL {name}={value}\n" for name, value in labels.items())
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\n{lines}")
    engine = DockerEngine(os.environ)
    image = engine.build_image(tmp_path, f"buildmatrix/{KEY}:whole", print)
    assert engine.owners(KEY) == {"killed"}
    engine.remove_stale("buildmatrix.owner", "killed")
    assert engine.owners(KEY) == frozenset()
    assert engine.image_id(image) is None
    engine.close()


@pytest.mark.docker
def test_a_step_that_fails_leaves_no_container_with_the_proxys_password(
    docker: tuple[Engine, str], tmp_path: Path
) -> None:
    _, base = docker
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN exit 3; {KEY}\n")
    engine = DockerEngine(os.environ, network={"http_proxy": "http://me:secret@proxy.example:1"})
    with pytest.raises(BuildError, match="cannot be built"):
        engine.build_image(tmp_path, "buildmatrix/test-failing:1", print)
    left = engine.client.api.containers(all=True)
    assert [there["Id"] for there in left if KEY in there["Command"]] == []
    engine.close()


@pytest.mark.docker
def test_a_rebuilt_image_replaces_the_old_one(docker: tuple[Engine, str], tmp_path: Path) -> None:
    """From nothing: a kept layer would be yesterday's packages. And no old image stays behind."""
    engine, base = docker
    command = "RUN cat /proc/sys/kernel/random/uuid > /tmp/made"  # new whenever it really runs
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\n{command}\n")
    tag = "buildmatrix/test-rebuilt:1"
    ids = [engine.build_image(tmp_path, tag, lambda _: None) for _ in range(2)]
    assert ids[0] != ids[1]
    assert engine.image_id(ids[0]) is None
    assert engine.image_id(tag) == ids[1]
