"""A tiny project with real containers, commands run on it, and what must hold after each."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import signal
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import buildmatrix
from buildmatrix.container import DockerEngine
from buildmatrix.errors import BuildmatrixError
from buildmatrix.nouns import Run
from buildmatrix.remote import Remote
from buildmatrix.results import Results
from buildmatrix.store import Store
from tests import tiny
from tests.forked import become
from tests.unit.rows import row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As tests.tiny's, in two steps: what is compiled and linked at once leaves nothing in ccache.
SCRIPT = """\
{{ target.triple ~ "-gcc" }} {{ flags }} -fPIC -c -DANSWER={{ option.answer }} \\
  -o tiny.o {{ source.src }}/tiny.c
{{ target.triple ~ "-gcc" }} -shared -Wl,-soname,libtiny.so.1 -o tiny.so tiny.o
mkdir -p /out/lib
cp tiny.so /out/lib/libtiny.so.1
"""
NAMED = ("damaged", "No space left", "is full", "gone", "missing", "not a database", "malformed")


def warm_up() -> None:
    """Import the whole program once: every command is a fork of this process, and finds it there.

    Imports were most of a round's CPU.
    """
    for module in pkgutil.walk_packages(buildmatrix.__path__, "buildmatrix."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def forget(store: Path) -> None:
    """Nothing counts as built; content that is there stays."""
    for name in ("entries", "latest"):
        for path in (store / name).glob("*"):
            path.unlink()


@dataclass(frozen=True, slots=True)
class Ended:
    """How one command ended: its exit code, minus the signal when it was killed, and its words."""

    code: int
    words: str


@dataclass
class Bench:
    """The project below `root`, whose state is `state`; `right` is what a whole state serves.

    `shared` is a store of several machines, where there is one."""

    root: Path
    state: Path
    shared: Path | None = None
    right: dict[str, str] = field(default_factory=dict)
    report: dict[str, object] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)  # bytes of each file when all is built
    told: list[str] = field(default_factory=list)  # by the stores, of what was not as it should be

    def prepare(self, toolchains: Path) -> None:
        """Write the project, build it once, and note what is right. `toolchains` has the records
        of images that are there."""
        warm_up()
        tiny.write(self.root)
        tiny.write_recipe(self.root, "tiny", SCRIPT)
        self.begin(toolchains)
        first = self.run("build")
        assert first.code == 0, first.words
        self.report = self.reported(self.run("report", "--json"))
        self.right, self.most = self.served(), self.size()

    def begin(self, toolchains: Path) -> None:
        """An empty state but for the record of the image, and results of a run."""
        (self.state / "toolchains").mkdir(parents=True)
        record = "armv7hf-bookworm.json"
        shutil.copy(toolchains / record, self.state / "toolchains" / record)
        rows = [
            replace(row(cell, batch, 4.0 + batch), block=4 * n + batch, run="r1")
            for n, cell in enumerate(("tiny-1", "tiny-2"))
            for batch in (1, 2)
        ]
        run = Run("r1", "pi3", False, {"seed": 7}, "", "2026-11-20T19:45:00+00:00", "")
        with Results(self.state / "results.sqlite") as results:
            results.insert(rows, run)

    def run(self, *words: str, killed_after: float | None = None) -> Ended:
        """One command in a process of its own; with SIGKILL after so many seconds."""
        child = self.start(*words)
        if killed_after is not None:
            time.sleep(killed_after)
            os.kill(child, signal.SIGKILL)
        return self.ended(child)

    def start(self, *words: str) -> int:
        """One command in a process of its own: its number."""
        output = self.root / "output"
        child = os.fork()
        if child == 0:
            environment = {"BUILDMATRIX_STATE": str(self.state)}
            if self.shared:
                environment |= {"BUILDMATRIX_SHARED": str(self.shared)}
                environment |= {"BUILDMATRIX_SHARED_IMAGES": "0"}  # one engine has them for all
            become(words, cwd=self.root, out=output, err=output, environment=environment)
        return child

    def ended(self, child: int) -> Ended:
        """Wait for a command that was started."""
        _, status = os.waitpid(child, 0)
        words = (self.root / "output").read_text(errors="replace")
        return Ended(os.waitstatus_to_exitcode(status), words)

    def served(self) -> dict[str, str]:
        """What the store gives for each key it has: a hash of all files."""
        store, found = self.store(), {}
        for key in store.stored():
            folder = self.root / "checkout"
            shutil.rmtree(folder, ignore_errors=True)
            store.checkout(key, folder)
            files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
            found[key] = " ".join(parts)
        return found

    def store(self) -> Store:
        """What the state folder has, and what it gets from the store of several machines."""
        if self.shared is None:
            return Store(self.state / "store")
        remote = Remote(str(self.shared), writes=False, tell=self.told.append)
        return Store(self.state / "store", self.told.append, remote)

    def used(self) -> dict[str, str]:
        """The same; what is found damaged when it is used is told then, and made by the next build.

        A build with nothing to do opens no content.
        """
        with contextlib.suppress(BuildmatrixError):
            return self.served()
        self.run("build")
        return self.served()

    def reported(self, ended: Ended) -> dict[str, object]:
        """What `report --json` publishes of the results, without the time of day."""
        assert ended.code == 0, ended.words
        document = json.loads(ended.words[ended.words.index("{") :])
        return {key: document[key] for key in document if key not in ("created", "tool")}

    def published(self, ended: Ended) -> Iterator[str]:
        """What a report must not do: end without the name of what is gone, show what was not
        measured, or leave something out and not say that it was damaged."""
        told = any(word in ended.words for word in NAMED)
        if "Traceback" in ended.words:
            yield f"report: {ended.words[-600:]}"
        elif ended.code != 0 and not told:
            yield f"report ends with {ended.code}: {ended.words[-400:]}"
        if ended.code == 0 and (shown := self.reported(ended)) != self.report:
            if invented := _beyond(shown, self.report):
                yield f"report publishes what was not measured: {invented[:300]}"
            elif not told:
                yield "report leaves something out without a word"

    def size(self) -> dict[str, int]:
        """Bytes of each file below the state folder; logs, the compiler's cache, which has a bound
        of its own, and a damaged file of results, which is kept on purpose and told, apart."""
        return {
            str(path.relative_to(self.state)): path.stat().st_size
            for path in sorted(self.state.rglob("*"))
            if path.is_file() and not {"logs", "ccache"} & set(path.parts)
            if ".damaged-" not in path.name
        }

    def age(self) -> None:
        """Everything is two minutes older: what a dead maker left counts as left."""
        then = time.time() - 120
        for path in self.state.rglob("*"):
            os.utime(path, (then, then), follow_symlinks=False)

    def faults(self) -> Iterator[str]:
        """Build and report once more; every sentence is something that must not be."""
        self.age()
        built = self.run("build")
        if built.code != 0:
            yield f"build ends with {built.code}: {built.words[-400:]}"
        if "Traceback" in built.words:
            yield f"build: {built.words[-600:]}"
        yield from self.published(self.run("report", "--json"))
        if (served := self.used()) != self.right:
            lost, new = self.right.keys() - served.keys(), served.keys() - self.right.keys()
            other = [key for key in served if served[key] != self.right.get(key)]
            yield (
                "what is served is not what was built: "
                f"gone {sorted(lost)}, new {sorted(new)}, other content {other}; "
                f"the build said: {built.words[-400:]}"
            )
        more = self.size()
        if len(more) > len(self.most) + 2:  # a build that was killed, this one, one that is young
            yield f"files that no whole build leaves: {sorted(more.keys() - self.most.keys())}"
        if sum(more.values()) > sum(self.most.values()) * 1.05 + 4_096:
            yield f"the state grew to {sum(more.values())} bytes"
        if left := self.containers():
            yield f"containers are left: {left}"

    def containers(self) -> list[str]:
        engine = DockerEngine()
        try:
            found = engine.client.containers.list(
                all=True, filters={"label": f"buildmatrix.state={self.state}"}, ignore_removed=True
            )
            return [str(container.name) for container in found]
        finally:
            engine.close()


def _beyond(shown: dict[str, object], right: dict[str, object]) -> str:
    """The first thing of a report that the right one has not; of a list some may be missing."""
    for key, value in shown.items():
        known = right.get(key)
        if isinstance(value, list) and isinstance(known, list):
            new = [one for one in value if one not in known]
        else:
            new = [] if value == known else [value]
        if new:
            return f"{key}: {new[0]}"
    return ""
