"""What listing and planning cost: CPU of whole processes, as ratios in one run.

    python -m tests.bench.planning [--other FOLDER] [--tools VENV]

`--other` is another checkout of buildmatrix, measured on the tenth part of the large matrix: its
CPU grows faster than the number of cells, so ten times that is less than it takes. `--tools` is an
environment with doit and snakemake; one is made with pip where none is named. Ends with 1 where our
own CPU grows faster than the number of cells.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from buildmatrix.nouns import Stage
from buildmatrix.pipeline import project
from buildmatrix.pipeline.workshop import Workshop
from buildmatrix.records import write_record
from tests.fakes import RecordingReporter
from tests.unit import projects, shelves

ROOT = Path(__file__).parents[2]
PINNED = ("doit==0.37.0", "snakemake==9.27.1")
WORKS = 500
MOST_GROWTH = 1.5  # of linear: a step that looks at all works for each is at 4 and more

LARGE = """\
version: 1
axes:
  stack: [caffe]
  openblas: ["0.3.21", "0.3.29", "0.3.34"]
  neon: [true, false]
  max_threads: [{threads}]
name: "{{stack}}-{{openblas}}-{{neon}}-{{max_threads}}"
toolchain: armv7hf-bookworm
"""
TINY = """\
version: 1
name: tiny
summary: a library of one function
options: {number: {summary: which, type: integer}}
sources:
  - name: src
    alternates: [{kind: archive, url: "https://example.org/src.tar", sha256: "%s"}]
build: {script: build.sh.j2, products: [lib/libtiny.so]}
""" % ("a" * 64)
DODO = """\
def task_work():
    for i in range({works}):
        yield {{"name": i, "file_dep": ["src"], "targets": [f"out/{{i}}"],
               "actions": [f"cp src out/{{i}}"]}}
"""
SNAKEFILE = """\
rule all:
    input: expand("out/{{i}}", i=range({works}))
rule work:
    input: "src"
    output: "out/{{i}}"
    shell: "cp {{input}} {{output}}"
"""


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float  # of CPU, in user mode and in the kernel
    mib: float  # at its peak


def cost(
    argv: list[str],
    cwd: Path,
    *,
    package: Path = ROOT,
    rounds: int = 1,
    without: str = "",
) -> Cost:
    """The median cost of a process that must end well; a file `without` is removed before each."""
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": ""}
    costs = []
    for _ in range(rounds):
        if without:
            (cwd / without).unlink(missing_ok=True)
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(argv, cwd=cwd, env=environment, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                said.seek(0)
                sys.exit(f"{argv}: exit {process.returncode}\n{said.read().decode()[-2000:]}")
        costs.append(Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return Cost(
        statistics.median(one.seconds for one in costs), statistics.median(one.mib for one in costs)
    )


def inv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "buildmatrix", *arguments]


def tell(words: str, one: Cost, *ratios: str) -> None:
    sys.stdout.write(f"{one.seconds:8.2f} s {one.mib:6.0f} MiB  {words}  {'; '.join(ratios)}\n")
    sys.stdout.flush()


def large(folder: Path, threads: int, checkout: Path = ROOT) -> Path:
    """A project of six times as many cells as there are numbers of threads.

    Its recipes are those of the checkout that will read them: what a recipe may say has grown.
    """
    root = folder / f"large-{threads}"
    root.mkdir()
    for name in ("recipes", "toolchains", "models"):
        (root / name).symlink_to(checkout / name)
    numbers = ", ".join(map(str, range(1, threads + 1)))
    (root / "matrix.yaml").write_text(LARGE.format(threads=numbers))
    return root


def matrices(folder: Path, other: Path | None) -> float:
    """The large matrix listed and planned, a larger one, and the same by the other build; how much
    faster than the number of cells the CPU grows."""
    fastest = 0.0
    for command in ("cells", "plan"):
        ours = cost(inv(command, "--json"), large(folder / command, 1700), rounds=3)
        tell(f"{command} of 10,200 cells", ours)
        more = cost(inv(command, "--json"), large(folder / command, 8334))
        growth = more.seconds / ours.seconds / (8334 / 1700)
        fastest = max(fastest, growth)
        tell(f"{command} of 50,004 cells", more, f"{growth:.2f} of linear growth")
        if other:
            tenth = cost(inv(command, "--json"), large(folder / command, 170, other), package=other)
            ratio = 10 * tenth.seconds / ours.seconds
            tell(f"{command} of 1,020 cells by {other}", tenth, f"at least {ratio:.0f} times ours")
    return fastest


def filled(root: Path) -> None:
    """A state folder in which everything that the project's cells need has been made."""
    shop = Workshop(
        project=project.load(root / "matrix.yaml"),
        state=root / ".buildmatrix",
        reporter=RecordingReporter(),
        mirror=lambda: "",
        index=lambda: "",
    )
    shelves.put(shop, *Stage)
    for name, identity in shop.identities.items():
        write_record(shop.state / "toolchains" / f"{name}.json", asdict(identity))


def nothing_to_do(folder: Path) -> None:
    """The default matrix with all stored, against a command that does nothing at all."""
    root = folder / "default"
    root.mkdir()
    for name in ("recipes", "toolchains", "models"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "matrix.yaml", root)  # where it is, the state folder is
    filled(root)
    version = cost(inv("--version"), root, rounds=5)
    tell("--version", version)
    cost(inv("build", "--frozen"), root)  # or something is not there, and this would compile
    build = cost(inv("build"), root, rounds=5)
    tell("build with nothing to do", build, f"{build.seconds / version.seconds:.1f} x --version")
    anew = planned_anew(root)
    tell("the same, planned anew", anew, f"{anew.seconds / version.seconds:.1f} x --version")


def planned_anew(root: Path) -> Cost:
    """A build with nothing to do that has no answer of an earlier one to give again."""
    return cost(inv("build"), root, rounds=3, without=".buildmatrix/answered.json")


def up_to_date(folder: Path, tools: Path) -> None:
    """As many works that are up to date, by us and by two others."""
    ours = folder / "tiny"
    projects.write(ours)
    recipe = ours / "recipes" / "tiny"
    recipe.mkdir()
    (recipe / "recipe.yaml").write_text(TINY)
    (recipe / "build.sh.j2").write_text("make {{ option.number }}\n")
    (ours / "models").symlink_to(ROOT / "models")
    numbers = ", ".join(map(str, range(WORKS - 2)))  # the source and the image are the other two
    axes = f'axes: {{stack: [tiny], number: [{numbers}]}}\nname: "tiny-{{number}}"\n'
    (ours / "matrix.yaml").write_text(f"version: 1\ntoolchain: tc\n{axes}")
    filled(ours)
    theirs = folder / "theirs"
    (theirs / "out").mkdir(parents=True)
    (theirs / "src").write_text("src\n")
    (theirs / "dodo.py").write_text(DODO.format(works=WORKS))
    (theirs / "Snakefile").write_text(SNAKEFILE.format(works=WORKS))
    doit, snakemake = [str(tools / "bin/doit")], [str(tools / "bin/snakemake"), "--cores", "1"]
    cost(doit, theirs)
    cost([*snakemake, "--touch"], theirs)
    cost(inv("build", "--frozen"), ours)
    us = cost(inv("build"), ours, rounds=5)
    tell(f"build of {WORKS} works that are up to date", us)
    for name, argv in (("doit", doit), ("snakemake", snakemake)):
        them = cost(argv, theirs, rounds=3)
        tell(f"{name}, {WORKS} likewise", them, f"ours is {us.seconds / them.seconds:.2f} of it")
    tell("ours, planned anew", planned_anew(ours))


def made(folder: Path) -> Path:
    """An environment with the pinned tools."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", *PINNED], check=True)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--other", type=Path, help="another checkout of buildmatrix")
    parser.add_argument("--tools", type=Path, help="an environment with doit and snakemake")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in ("cells", "plan"):
            (folder / command).mkdir()
        growth = matrices(folder, chosen.other and chosen.other.resolve())
        nothing_to_do(folder)
        up_to_date(folder, chosen.tools or made(folder / "tools"))
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
