"""Every toolchain: its image is made and smoke-tested, what it makes passes the audit, and starts
on every Debian whose glibc is no older than the floor that it promises."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from buildmatrix.toolchain import Toolchain, load_all
from tests.boards import STATE
from tests.integration import cli
from tests.proof.case import AARCH64, ARM
from tests.proof.userlands import SUITES, Userland, unpack

ROOT = Path(__file__).parents[2]
GLIBC = {"bullseye": (2, 31), "bookworm": (2, 36), "trixie": (2, 41)}
MACHINES = {"EM_ARM": (ARM, "qemu-arm-static"), "EM_AARCH64": (AARCH64, "qemu-aarch64-static")}
TOOLCHAINS = [one for one in load_all(ROOT / "toolchains").values() if one.target.place in MACHINES]

pytestmark = [pytest.mark.nightly, pytest.mark.docker]


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.fixture(scope="module")
def userlands(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Userland]]:
    """Loader and libraries of three Debians for both ARMs, each with the emulator that it needs."""
    cache = tmp_path_factory.mktemp("userlands")
    return [
        (emulator, unpack(cache, suite, machine))
        for machine, emulator in MACHINES.values()
        for suite in SUITES
    ]


@pytest.fixture(params=TOOLCHAINS, ids=lambda one: one.name)
def toolchain(request: pytest.FixtureRequest, tmp_path: Path) -> Toolchain:
    """A toolchain by which the library of `init` was built and audited."""
    one: Toolchain = request.param
    project = tmp_path / "mine"
    cli.run("init", "mine", cwd=tmp_path, state=STATE)
    matrix = project / "matrix.yaml"
    text = re.sub(r"(?m)^toolchain: \S+", f"toolchain: {one.name}", matrix.read_text())
    matrix.write_text(text)
    out, _ = cli.run("build", cwd=project, state=STATE)
    assert re.findall(r"^(dot-neon-\w+) +(?:built|stored)", out, re.MULTILINE)
    found = cli.document("audit", "dot-neon-true", cwd=project, state=STATE)
    # Debian 13's libgcc_s for 64 bits has SVE and SME for a newer processor: a warning (BM117).
    assert [row for row in found["findings"] if row["severity"] == "error"] == []
    needs = [row["glibc_max"] for row in found["facts"] if row["glibc_max"]]
    assert max(map(number, needs)) <= number(one.target.libc_floor)
    return one


def compiled(toolchain: Toolchain, folder: Path) -> Path:
    """The smoke test's C program, by the toolchain's image and flags."""
    record = json.loads((STATE / "toolchains" / f"{toolchain.name}.json").read_text())
    image = record.get("content", record)["image"]
    script = toolchain.folder / toolchain.spec.smoke
    compiler = [f"{toolchain.target.triple}-gcc", *toolchain.spec.flags, "-O2", "-pthread"]
    folder.chmod(0o777)
    mounts = ["-v", f"{script.parent.resolve()}:/smoke:ro", "-v", f"{folder}:/made"]
    program = [*compiler, "-o", "/made/smoke", "/smoke/smoke.c"]
    container = ["docker", "run", "--rm", "--network=none", *mounts, image]
    subprocess.run([*container, *program], check=True)
    return folder / "smoke"


def test_what_it_makes_passes_the_audit_and_starts_from_its_floor_on(
    toolchain: Toolchain, userlands: list[tuple[str, Userland]], tmp_path: Path
) -> None:
    program = compiled(toolchain, tmp_path)
    machine, _ = MACHINES[toolchain.target.machine]
    ended = {
        land.suite: subprocess.run(
            [emulator, "-L", land.root, program], capture_output=True, text=True, check=False
        )
        for emulator, land in userlands
        if land.machine == machine
    }
    floor = number(toolchain.target.libc_floor)
    promised = [suite for suite, version in GLIBC.items() if version >= floor]
    assert promised
    assert [suite for suite in promised if ended[suite].returncode != 0] == []
    if floor >= (2, 34):  # where libpthread went into libc, and main's caller got a new version
        assert "version `GLIBC_2.34' not found" in ended["bullseye"].stderr
