"""Builds in real containers: isolation, resumption after SIGKILL, two at once, named failures."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

from buildmatrix.store import Store
from tests.integration import cli
from tests.integration.builds import containers, wait_for
from tests.tiny import MATRIX, SCRIPT, write_recipe

if TYPE_CHECKING:
    from pathlib import Path


class Where(TypedDict):
    cwd: Path
    state: Path


pytestmark = pytest.mark.docker


def states(found: Any) -> dict[str, str]:
    return {row["id"]: row["state"] for row in found["actions"]}


def test_built_once_then_skipped_with_the_reason(project: Path, tmp_path: Path) -> None:
    where: Where = {"cwd": project, "state": tmp_path / "state"}
    first = states(cli.document("build", **where))
    assert [first[f"build:tiny[answer={n}]@armv7hf-bookworm"] for n in (1, 2)] == ["done", "done"]
    assert set(states(cli.document("build", **where)).values()) == {"cached"}
    plan = cli.document("plan", **where)["actions"]
    assert {a["verb"] for a in plan} == {"SKIP"}
    assert all(a["reason"].startswith(("stored as", "nothing needs it")) for a in plan)
    cli.run("build", "--frozen", **where)


def test_a_changed_script_reruns_only_its_own(project: Path, tmp_path: Path) -> None:
    where: Where = {"cwd": project, "state": tmp_path / "state"}
    cli.run("build", "--only", "tiny-1", **where)
    write_recipe(project, "tiny", SCRIPT.replace("-shared", "-O1 -shared"))
    out, _ = cli.run("why", "tiny-1", **where)
    assert "RERUN build:tiny[answer=1]" in out
    assert "changed: script:" in out
    _, err = cli.run("build", "--frozen", code=9, **where)
    assert "build:tiny[answer=1]@armv7hf-bookworm: changed: script" in err


def test_an_image_with_other_packages_than_are_locked_builds_nothing(
    project: Path, tmp_path: Path
) -> None:
    where: Where = {"cwd": project, "state": tmp_path / "state"}
    (row,) = (
        row
        for row in cli.document("toolchains", "--lock", **where)["toolchains"]
        if row["name"] == "armv7hf-bookworm"
    )
    assert row["changed"] == f"locked: {len(row['packages'])} packages"
    cli.run("build", "--only", "tiny-1", **where)
    lock = project / "toolchains.lock"
    mine = next(one for one in row["packages"] if one.startswith("gcc-12-arm-linux-gnueabihf:"))
    name, _, version = mine.partition("=")
    lock.write_text(lock.read_text().replace(mine, f"{name}=11.0-1"))
    _, err = cli.run("build", "--only", "tiny-1", code=4, **where)
    assert "the image of armv7hf-bookworm has other packages than toolchains.lock lists" in err
    assert f"{name} 11.0-1 -> {version}" in err
    out, _ = cli.run("toolchains", "--lock", "--only", "armv7hf-bookworm", **where)
    assert f"11.0-1 -> {version}" in " ".join(out.split())
    assert set(states(cli.document("build", "--only", "tiny-1", **where)).values()) == {"cached"}


def test_no_network_not_root_inputs_read_only(project: Path, tmp_path: Path) -> None:
    probe = """
id -u > /out/uid
(: > /src/src/x) 2> /out/write || true
ls /sys/class/net > /out/net
env | sort > /out/env
mkdir -p /out/lib
: > /out/lib/libtiny.so.1
"""
    write_recipe(project, "tiny", probe)
    state = tmp_path / "state"
    cli.run("build", "--only", "tiny-1", cwd=project, state=state)
    store = Store(state / "store")
    entry = store.latest("build:tiny[answer=1]@armv7hf-bookworm")
    assert entry is not None
    store.checkout(entry.key, tmp_path / "out")
    assert (tmp_path / "out" / "uid").read_text().strip() != "0"
    assert "Read-only file system" in (tmp_path / "out" / "write").read_text()
    assert (tmp_path / "out" / "net").read_text().split() == ["lo"]
    assert "SOURCE_DATE_EPOCH=1483228800" in (tmp_path / "out" / "env").read_text()


def test_killed_in_a_build_the_next_run_completes(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", "touch /ccache/going\nsleep 5\n" + SCRIPT)
    state = tmp_path / "state"
    going = state / "ccache" / "tiny@armv7hf-bookworm" / "going"
    with cli.start("build", "--only", "tiny-1", cwd=project, state=state) as process:
        wait_for(going.exists, "the container to run")
        process.kill()
    assert containers(state) == ["build:tiny[answer=1]@armv7hf-bookworm"], (
        "the engine goes on alone"
    )
    found = states(cli.document("build", "--only", "tiny-1", cwd=project, state=state))
    assert found["build:tiny[answer=1]@armv7hf-bookworm"] == "done"
    assert containers(state) == []
    assert list((state / "store" / "tmp").iterdir()) == []


def test_a_killed_builds_container_goes_even_if_its_key_is_not_asked_for_again(
    project: Path, tmp_path: Path
) -> None:
    write_recipe(project, "tiny", "touch /ccache/going\nsleep 600\n" + SCRIPT)
    state = tmp_path / "state"
    going = state / "ccache" / "tiny@armv7hf-bookworm" / "going"
    with cli.start("build", "--only", "tiny-1", cwd=project, state=state) as process:
        wait_for(going.exists, "the container to run")
        process.kill()
    assert containers(state) != []
    write_recipe(project, "tiny", SCRIPT)
    cli.run("build", "--only", "tiny-2", cwd=project, state=state)
    assert containers(state) == []


def test_a_killed_builds_container_goes_though_nothing_is_to_be_made(
    project: Path, tmp_path: Path
) -> None:
    """As where another machine made it meanwhile: this one would never need its engine again."""
    state = tmp_path / "state"
    cli.run("build", "--only", "tiny-2", cwd=project, state=state)
    write_recipe(project, "tiny", "touch /ccache/going\nsleep 600\n" + SCRIPT)
    going = state / "ccache" / "tiny@armv7hf-bookworm" / "going"
    with cli.start("build", "--only", "tiny-1", cwd=project, state=state) as process:
        wait_for(going.exists, "the container to run")
        process.kill()
    assert containers(state) != []
    for claim in (state / "owners").iterdir():  # a minute later
        os.utime(claim, (0, 0))
    write_recipe(project, "tiny", SCRIPT)
    cli.run("build", "--only", "tiny-2", "--frozen", cwd=project, state=state)
    assert containers(state) == []


def test_interrupted_nothing_is_left(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", "touch /ccache/going\nsleep 600\n" + SCRIPT)
    state = tmp_path / "state"
    with cli.start("build", "--only", "tiny-1", cwd=project, state=state) as process:
        wait_for(
            (state / "ccache" / "tiny@armv7hf-bookworm" / "going").exists, "the container to run"
        )
        process.terminate()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted; what was finished is kept" in err
    assert containers(state) == []
    assert list((state / "store" / "tmp").iterdir()) == []


def test_two_at_once_build_nothing_twice(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", "echo made >> /ccache/made\nsleep 1\n" + SCRIPT)
    state = tmp_path / "state"
    both = [cli.start("build", "--json", cwd=project, state=state) for _ in range(2)]
    ends = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    made = state / "ccache" / "tiny@armv7hf-bookworm" / "made"
    assert made.read_text().split() == ["made", "made"]  # two cells, once


def test_a_failed_cell_does_not_stop_the_others(project: Path, tmp_path: Path) -> None:
    script = (
        '{% if option.answer == 1 %}\necho "tiny.c:1: error: broken" >&2\nexit 3\n{% endif %}\n'
    )
    write_recipe(project, "tiny", script + SCRIPT)
    state = tmp_path / "state"
    out, err = cli.run("build", cwd=project, state=state, code=4)
    assert "tiny-1  FAILED" in out
    assert "tiny-2  built" in out
    assert "the build script ended with status 3" in err
    assert "tiny.c:1: error: broken" in err
    log = state / "logs" / "build" / "tiny[answer=1]@armv7hf-bookworm.log"
    assert "error: broken" in log.read_text()
    assert str(log) in err


def test_a_link_to_the_hosts_files_is_no_product(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", SCRIPT + "ln -s /etc/hostname /out/lib/libhost.so\n")
    _, err = cli.run("build", "--only", "tiny-1", cwd=project, state=tmp_path / "state", code=4)
    assert "lib/libhost.so is an absolute link, to /etc/hostname" in err


def test_a_build_cannot_configure_the_cache_of_the_next(project: Path, tmp_path: Path) -> None:
    """ccache itself says which file it obeys."""
    script = (
        "echo 'max_size = 1M' > /ccache/ccache.conf\n"
        "! echo 'max_size = 1M' > /ccache.conf\n"
        "ccache --show-config > /out/lib/config\n"
    )
    write_recipe(project, "tiny", "mkdir -p /out/lib\n" + script + SCRIPT)
    state = tmp_path / "state"
    cli.run("build", "--only", "tiny-1", cwd=project, state=state)
    text = next(
        path.read_text()
        for path in (state / "store" / "objects").rglob("*")
        if path.is_file() and b"max_size" in path.read_bytes()
    )
    assert "(/ccache.conf) max_size = 5.0G" in text
    assert "(/ccache.conf) compiler_check = content" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's copy has other owners")
def test_a_copy_of_a_state_folder_that_keeps_no_owners_builds(
    project: Path, tmp_path: Path
) -> None:
    compiled = SCRIPT.replace("-shared", "-c", 1) + "touch /out/lib/again\n"
    write_recipe(project, "tiny", compiled)
    cli.run("build", "--only", "tiny-1", cwd=project, state=tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    (cache,) = (tmp_path / "copy" / "ccache").iterdir()
    assert [path.stat().st_uid for path in cache.iterdir()], "ccache was used"
    assert {path.stat().st_uid for path in cache.iterdir()} == {0}
    write_recipe(project, "tiny", compiled.replace("-c", "-O1 -c", 1))
    cli.run("build", "--only", "tiny-1", cwd=project, state=tmp_path / "copy")


def test_a_build_that_downloads_is_told_that_there_is_no_network(
    project: Path, tmp_path: Path
) -> None:
    script = "python3 -c 'import socket; socket.getaddrinfo(\"example.org\", 443)'\n"
    write_recipe(project, "tiny", script)
    _, err = cli.run("build", "--only", "tiny-1", cwd=project, state=tmp_path / "state", code=4)
    assert "builds have no network" in err
    assert "under `sources` in the recipe" in err


def test_a_compile_killed_for_memory_is_named_as_such(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", "tail -c 3G /dev/zero | tail -c 3G > /dev/null\nfalse\n")
    _, err = cli.run("build", "--only", "tiny-1", cwd=project, state=tmp_path / "state", code=4)
    assert "killed for memory (limit 1 GiB" in err
    assert "fewer --jobs" in err


def test_a_product_that_was_not_made_is_named(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", "mkdir -p /out/lib; : > /out/lib/libtinny.so\n")
    _, err = cli.run("build", "--only", "tiny-1", cwd=project, state=tmp_path / "state", code=4)
    assert "the product 'lib/libtiny.so.1' was not made" in err
    assert "lib/libtinny.so" in err


def test_a_source_out_of_reach_is_reported_and_the_others_go_on(
    project: Path, tmp_path: Path
) -> None:
    write_recipe(project, "below", SCRIPT)
    folder = project / "recipes" / "far"
    shutil.copytree(project / "recipes" / "tiny", folder)
    text = (folder / "recipe.yaml").read_text().replace("name: tiny", "name: far")
    away = 'alternates: [{kind: archive, url: "https://127.0.0.1:9/far.tar", sha256: "%s"}]'
    text = text.replace("alternates: [{kind: folder, path: src}]", away % ("a" * 64))
    text = "\n".join(line for line in text.splitlines() if "tree:" not in line)
    text += "\ndependencies: [{recipe: below, kind: build}]\n"
    (folder / "recipe.yaml").write_text(text)
    matrix = MATRIX.replace("stack: [tiny]", "stack: [tiny, far]")
    (project / "matrix.yaml").write_text(matrix)
    state = tmp_path / "state"
    out, err = cli.run("build", "--works", "1", cwd=project, state=state)
    assert "build:tiny" in err
    assert "build:below" not in err, "it was compiled, and only far-1 and far-2 need it"
    assert "tiny-1  built" in out
    assert "far-1   out of reach" in out
    assert "https://127.0.0.1:9/far.tar" in out
    cells = {c["id"]: c for c in cli.document("cells", cwd=project, state=state)["cells"]}
    assert cells["tiny-1"]["shown"]["rung"] == "built"
    assert cells["far-1"]["shown"]["rung"] == "rendered"
    for pattern in ("far-1", "far-*"):
        _, err = cli.run("build", "--only", pattern, cwd=project, state=state, code=4)
        assert "asked for and not built: far-1" in err
    cli.run("build", "--only", "*-1", cwd=project, state=state)
    plan = cli.document("plan", "--only", "far-1", cwd=project, state=state)["actions"]
    assert any("try again; last time" in action["reason"] for action in plan)
    (project / "matrix.yaml").write_text(MATRIX.replace("stack: [tiny]", "stack: [far]"))
    _, err = cli.run("build", cwd=project, state=state, code=4)
    assert "no cell is built: what they need is out of reach" in err, "CI would be green"


def test_without_an_engine_a_full_store_still_answers(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    cli.run("build", cwd=project, state=state)
    done = subprocess.run(
        [
            "env",
            "DOCKER_HOST=unix:///nonexistent",
            f"BUILDMATRIX_STATE={state}",
            *cli_argv("build"),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny-1  stored" in done.stdout


def cli_argv(*arguments: str) -> list[str]:
    import sys

    return [sys.executable, "-m", "buildmatrix", *arguments]
