"""Where compiles are made: one suite for this machine's own pool and for Dask's workers."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from dask.config import set as configured

from buildmatrix.cluster.client import Cluster
from buildmatrix.errors import BuildmatrixError, UsageError
from buildmatrix.pipeline import project
from buildmatrix.pipeline.perform import build_all
from buildmatrix.pipeline.workshop import Workshop
from buildmatrix.protocols import Note, Output
from buildmatrix.store import Store
from tests import tiny
from tests.daskworkers import Dask, dask
from tests.fakes import RecordingReporter
from tests.integration.builds import containers, looked_at, wait_for
from tests.serving import certify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from buildmatrix.pipeline.making import Outcome

pytestmark = pytest.mark.docker

# It says that it is there, and ends when it is told to.
WAITS = "echo begun\nuntil [ -e /ccache/go ]; do sleep 0.1; done\n"
CACHE = "ccache/tiny@armv7hf-bookworm"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler with two workers."""
    with dask(tmp_path_factory.mktemp("dask")) as one:
        one.start("w1")
        one.start("w2")
        one.joined("w1", "w2")
        yield one


class Build:
    """A project of two cells, a state folder of its own, and who compiles."""

    def __init__(self, root: Path, one: Dask | None) -> None:
        self.root, self.dask = root, one
        self.state = root / "state"
        self.reporter = RecordingReporter()
        tiny.write(root / "project")
        looked_at(self.state)

    def script(self, text: str) -> None:
        for cache in self.caches():
            (cache / "go").unlink(missing_ok=True)
        tiny.write_recipe(self.root / "project", "tiny", text)

    def run(self, shop: Workshop) -> tuple[Outcome, ...]:
        if self.dask is None:
            return build_all(shop)
        with closing(Cluster(self.dask.executor, self.reporter)) as shop.executor:
            return build_all(shop)

    def shop(self) -> Workshop:
        return Workshop(
            project=project.load(self.root / "project" / "matrix.yaml"),
            state=self.state,
            reporter=self.reporter,
            mirror=lambda: "",
            index=lambda: "",
            jobs=2,
            shared=str(self.root / "shared"),
            shares_images=False,
        )

    def begun(self) -> int:
        """How many works have said so."""
        lines = [one for one in self.reporter.events if isinstance(one, Output)]
        return sum(one.line == "begun" for one in lines)

    def go(self) -> None:
        """Tell all that wait to go on, wherever they are."""
        for cache in self.caches():
            (cache / "go").touch()

    def caches(self) -> list[Path]:
        """Those that are there: workers keep theirs from test to test."""
        names = self.dask.workers if self.dask else ()
        states = (self.state, *(self.dask.state(n) for n in names if self.dask))
        return [state / CACHE for state in states if (state / CACHE).is_dir()]

    def notes(self) -> str:
        return "\n".join(one.message for one in self.reporter.events if isinstance(one, Note))

    def containers(self) -> list[str]:
        return self.dask.containers() if self.dask else containers(self.state)


@pytest.fixture(params=["local", "dask"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    one = request.getfixturevalue("running") if request.param == "dask" else None
    return Build(tmp_path, one)


def digests(state: Path) -> dict[str, Any]:
    return {entry.key: entry.files for entry in Store(state / "store").entries()}


def states(outcomes: tuple[Outcome, ...]) -> set[str]:
    return {outcome.state for outcome in outcomes}


def test_what_is_printed_comes_while_it_runs(build: Build) -> None:
    build.script(WAITS + tiny.SCRIPT)
    ended: list[tuple[Outcome, ...]] = []
    shop = build.shop()
    thread = threading.Thread(target=lambda: ended.append(build.run(shop)))
    thread.start()
    wait_for(lambda: build.begun() == 2, "both to begin, at once", 120)
    build.go()
    thread.join(240)
    assert states(ended[0]) <= {"done", "cached"}
    logs = [path.read_text() for path in (build.state / "logs").rglob("*.log")]
    assert len(logs) == 2
    assert all("begun" in text for text in logs)
    assert build.containers() == []


def test_a_failure_has_its_last_words_and_its_log_here(build: Build) -> None:
    build.script("echo 'no such header' >&2\nexit 3\n")
    outcomes = build.run(build.shop())
    failed = [one for one in outcomes if one.state == "failed" and not one.fault]
    assert [one.action.stage for one in failed] == ["build", "build"]
    (log, _) = sorted((build.state / "logs").rglob("*.log"))
    assert log.read_text() == "no such header\n"
    assert "no such header" in failed[0].message
    assert str(log) in failed[0].message
    assert build.containers() == []


@pytest.mark.nightly
def test_stopped_all_containers_end_and_nothing_is_left(build: Build) -> None:
    build.script("echo begun\nsleep 3600\n")
    raised: list[BaseException] = []
    shop = build.shop()

    def run() -> None:
        try:
            build.run(shop)
        except KeyboardInterrupt as stop:
            raised.append(stop)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: build.begun() == 2, "both to begin")
    shop.stop()
    thread.join(120)
    assert len(raised) == 1
    wait_for(lambda: not build.containers(), "all containers to end", 30)
    assert list((build.state / "store" / "failures").iterdir()) == []


@pytest.mark.nightly
def test_a_worker_killed_at_work_is_replaced_and_the_bytes_are_those_of_here(
    running: Dask, tmp_path: Path
) -> None:
    here = Build(tmp_path / "here", None)
    here.run(here.shop())  # it has a cache from now on, in which it can be told to go on
    there = Build(tmp_path / "there", running)
    script = f"# workers have what others made\n{WAITS}{tiny.SCRIPT}"
    there.script(script)
    here.script(script)
    here.go()
    here.run(here.shop())
    ended: list[tuple[Outcome, ...]] = []
    shop = there.shop()
    thread = threading.Thread(target=lambda: ended.append(there.run(shop)))
    thread.start()
    wait_for(lambda: there.begun() == 2, "both to begin")
    (name, *_) = [n for n in running.workers if containers(running.state(n))]
    running.workers[name].send_signal(signal.SIGKILL)
    there.go()
    thread.join(240)
    assert states(ended[0]) <= {"done", "cached"}
    assert digests(there.state).items() <= digests(here.state).items()
    assert "is lost: what it made is begun again elsewhere" in there.notes()


@pytest.mark.nightly
def test_a_worker_of_another_version_gets_nothing(tmp_path: Path) -> None:
    with dask(tmp_path) as other:
        other.start("w", version="0.1.0+other")
        other.joined("w")
        with pytest.raises(BuildmatrixError, match="is of another buildmatrix than this one"):
            Cluster(other.executor, RecordingReporter())


@pytest.mark.nightly
def test_without_a_scheduler_or_a_worker_that_is_said(tmp_path: Path) -> None:
    with dask(tmp_path) as empty:
        with pytest.raises(BuildmatrixError, match="has no worker"):
            Cluster(empty.executor, RecordingReporter(), patience=0.1)
        gone = empty.executor
    with pytest.raises(BuildmatrixError, match="no Dask scheduler answers"):
        Cluster(gone, RecordingReporter())
    with pytest.raises(UsageError, match="no such executor"):
        Cluster("ssh://host", RecordingReporter())


def test_by_tls_who_has_the_certificate_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configured as docs/install.md says, in a file; JSON is YAML too."""
    certificate = tmp_path / "ours.pem"
    certify(certificate)
    pair = {"cert": str(certificate), "key": str(certificate.with_suffix(".key"))}
    tls = {"ca-file": str(certificate), "scheduler": pair, "worker": pair, "client": pair}
    told = {"distributed": {"comm": {"require-encryption": True, "tls": tls}}}
    (tmp_path / "dask").mkdir()
    (tmp_path / "dask" / "tls.yaml").write_text(json.dumps(told))
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path / "dask"))
    with dask(tmp_path, "tls") as secret:
        secret.start("w")
        secret.joined("w")
        with pytest.raises(UsageError, match="configuration here names no certificate"):
            Cluster(secret.executor, RecordingReporter())
        plain = secret.executor.replace("dask+tls", "dask")
        with pytest.raises(BuildmatrixError, match="no Dask scheduler answers"):
            Cluster(plain, RecordingReporter())
        with configured(here(told)):
            with pytest.raises(UsageError, match="configuration here wants TLS"):
                Cluster(plain, RecordingReporter())
            there = Build(tmp_path, secret)
            assert states(there.run(there.shop())) == {"done"}
        lost = {"ca-file": "gone.pem", "client": {"cert": "gone.pem", "key": "gone.pem"}}
        with (
            configured(here({"distributed": {"comm": {"tls": lost}}})),
            pytest.raises(UsageError, match="that cannot be read"),
        ):
            Cluster(secret.executor, RecordingReporter())


def here(told: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """What a file of Dask's configuration says, for this process, in which all else stays."""
    flat: dict[str, Any] = {}
    for name, value in told.items():
        key = f"{above}{name}"
        flat |= here(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return flat
