"""Podman as it is in Debian 12 and 13 keeps what an Engine promises."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import doctor
from buildmatrix.container import DockerEngine
from buildmatrix.errors import BuildError
from tests import podman
from tests.boards import STATE
from tests.contract import test_engine
from tests.integration.test_other_users import interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.nightly, pytest.mark.docker]


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Where a Podman of the suite answers: the installed one, or trixie's packages unpacked."""
    folder = tmp_path_factory.mktemp(f"podman-{request.param}")
    root = None if request.param == "bookworm" else podman.unpacked(STATE, request.param)
    with podman.serving(folder, root) as url:
        engine = DockerEngine({"DOCKER_HOST": url})
        assert engine.version().startswith("Podman Engine "), engine.version()
        engine.close()
        yield {**os.environ, "DOCKER_HOST": url}


def test_the_contract_of_an_engine_holds(place: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "docker"]
    done = subprocess.run(
        [*argv, "tests/contract/test_engine.py"],
        cwd=ROOT,
        env=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# Users have no controller of cgroups v1: what Podman cannot hold a container to is held to nothing.
HELD = ("endless_processes", "too_much_memory", "a_child_that_ran_out_of_memory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_the_contract_of_an_engine_holds_for_a_user_s_own() -> None:
    """The client is that user's too. What its limits are not kept by is told by `doctor`."""
    root = podman.unpacked(STATE, "bookworm", podman.ROOTLESS)
    with (
        tempfile.TemporaryDirectory(prefix="buildmatrix-podman-", dir="/tmp") as name,
        podman.serving_a_user(Path(name), root) as (url, as_user),
    ):
        place = {"DOCKER_HOST": url}
        engine = DockerEngine(place)
        about = engine.podman
        engine.close()
        assert about is not None
        assert about.rootless
        argv = [*as_user, interpreter(), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        argv += [f"--basetemp={name}/home/tmp", "-m", "docker", "tests/contract/test_engine.py"]
        if about.limits_no_memory:
            argv += ["-k", " and ".join(f"not {test}" for test in HELD)]
        settings = {
            **place,
            "HOME": f"{name}/home",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BUILDMATRIX_TEST_STATE": f"{name}/home/state",
        }
        done = subprocess.run(
            argv, cwd=ROOT, env=settings, capture_output=True, text=True, check=False
        )
        checks = doctor.checks(Path(name), engine_place=place, mirror=str)
        (check,) = (one for one in checks if one.name == "container engine")
        assert ("limits no container's memory" in check.found) == about.limits_no_memory
    assert done.returncode == 0, done.stdout


def test_what_podman_has_no_helper_for_is_said_with_the_package(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By the build that wants it; `doctor` says it before."""
    folder = tmp_path_factory.mktemp("podman-alone")
    with podman.serving(folder, hidden=Path("/usr/libexec/podman")) as url:
        engine = DockerEngine({"DOCKER_HOST": url})
        about = engine.podman
        assert about is not None
        assert (about.here, about.is_old, about.lacks_catatonit) == (True, False, False)
        engine.import_rootfs(test_engine.busybox(tmp_path / "busybox.tar"), test_engine.TAG)
        with pytest.raises(BuildError) as refused:
            engine.run(test_engine.spec(test_engine.TAG, "true"), print)
        engine.close()
    assert "install catatonit (Debian: catatonit)" in refused.value.hint
