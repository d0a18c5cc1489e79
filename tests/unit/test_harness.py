"""The harness, compiled natively with an engine that does what a file tells it to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # compiles C++

HARNESS = Path(__file__).parents[2] / "buildmatrix" / "harness"
PROBE_STEPS = 3_000_000  # instructions, each of which waits for the one before
PIXELS = np.array([0.1, 1 / 3, 1e-30, 16777217.0], dtype=np.float32)

ENGINE = r"""
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <new>
#include <stdexcept>
#include <thread>
#include <time.h>
#include <unistd.h>
#include "harness.h"

const char engine_name[] = "doubling";
const char number_format[] = "float32";

// Until this thread has used 60 ms of CPU time.
void work() {
  timespec used = {0, 0};
  while (used.tv_nsec < 60000000) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
}

// Doubles every value, and does in addition what DIR/behaviour names.
class Doubling : public Engine {
 public:
  explicit Doubling(const std::string& behaviour) : behaviour_(behaviour) {}

  void prepare(int batch) override {
    std::printf("chatter on stdout\n");
    batch_ = batch;
    if (behaviour_ == "large batch" && batch > 2) throw std::bad_alloc();
    if (behaviour_ == "abort") give_up("oom", "a \"quoted\"\nline, \x80 and \\");
    if (behaviour_ == "odd throw") throw 7;
    if (behaviour_ == "slow prepare") usleep(50000);
    if (behaviour_ == "helper thread") std::thread(work).join();
    if (behaviour_ == "killed" && batch > 1) {
      input_.assign(16 << 20, 1);  // 64 MiB
      std::raise(SIGKILL);
    }
    if (behaviour_ == "segmentation fault") std::raise(SIGSEGV);
  }

  void set_input(const float* data, std::size_t size) override {
    input_.assign(data, data + size);
  }

  void forward() override {
    ++passes_;
    if (behaviour_ == "slow first" && passes_ == 1) usleep(50000);
    if (behaviour_ == "counting" || behaviour_ == "endless") std::fprintf(stderr, "pass\n");
    if (behaviour_ == "endless") sleep(60);
    output_ = input_;
    for (float& value : output_) value *= 2;
    if (behaviour_ == "drift" && passes_ > 1) output_[0] += 0.5f;
    if (behaviour_ == "mixed images" && batch_ > 1) output_.back() += 2.0f * output_.back();
    if (behaviour_ == "nan") output_[1] = NAN;
    if (behaviour_ == "ragged") output_.push_back(0);
  }

  std::vector<float> output() override { return output_; }

  bool tell_layers(int passes, LayerLog& log) override {
    if (behaviour_ == "no layers") return false;
    if (behaviour_ == "layers fail") throw std::runtime_error("no \"room\"");
    for (int pass = 0; pass < passes; ++pass) {
      log.begin();
      usleep(2000);
      log.end("first");
      forward();
      log.end("second");
      log.took("own clock", 1500);
    }
    return true;
  }

 private:
  std::string behaviour_;
  std::vector<float> input_, output_;
  int batch_ = 0;
  int passes_ = 0;
};

std::unique_ptr<Engine> make_engine(const std::string& model_dir, int threads) {
  if (threads > 4) throw std::runtime_error("at most 4 threads");
  std::string behaviour;
  std::ifstream file(model_dir + "/behaviour");
  std::getline(file, behaviour);
  return std::unique_ptr<Engine>(new Doubling(behaviour));
}
"""


@dataclass(frozen=True)
class Run:
    status: int
    lines: list[dict[str, Any]]
    stderr: str


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    engine = folder / "engine.cpp"
    engine.write_text(ENGINE)
    binary = folder / "runner"
    argv = ["g++", "-std=c++11", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror"]
    argv += ["-I", str(HARNESS)]
    argv += [str(engine), str(HARNESS / "harness.cpp"), "-o", str(binary)]
    built = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return binary


def command(runner: Path, folder: Path, *options: str, behaviour: str) -> list[str]:
    PIXELS.astype("<f4").tofile(folder / "input.f32")
    (folder / "behaviour").write_text(behaviour)
    return [str(runner), "--model", str(folder), *options]


def run(runner: Path, folder: Path, *options: str, behaviour: str = "") -> Run:
    argv = command(runner, folder, *options, behaviour=behaviour)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return Run(done.returncode, lines, done.stderr)


def test_one_json_line_per_batch_and_nothing_else_on_stdout(runner: Path, tmp_path: Path) -> None:
    done = run(runner, tmp_path, "--batch", "1,2,4", "--passes", "7", "--threads", "3")
    assert done.status == 0
    assert [line["batch"] for line in done.lines] == [1, 2, 4]
    assert done.stderr == "chatter on stdout\n" * 3
    for line in done.lines:
        assert line | {"version": 1, "engine": "doubling", "status": "ok", "message": ""} == line
        assert line | {"threads": 3, "passes": 7, "warmup": 5} == line
        assert line["number_format"] == "float32"
        assert len(line["samples_ns"]) == 7
        assert all(sample >= 0 for sample in line["samples_ns"])
        assert line["peak_rss_kib"] > 500
        assert line["page_faults_major"] >= 0
        assert line["instructions"] is None or 7 * 4 < line["instructions"] < PROBE_STEPS


def test_the_output_of_image_0_is_exact_in_float32(runner: Path, tmp_path: Path) -> None:
    [line] = run(runner, tmp_path, "--batch", "3").lines
    assert np.array_equal(np.array(line["output"], dtype=np.float32), PIXELS * 2)
    assert line["batch_max_abs_diff"] == 0
    assert line["repeat_identical"] is True


def test_the_first_pass_is_timed_apart_and_preparation_is_not(runner: Path, tmp_path: Path) -> None:
    [first] = run(runner, tmp_path, "--warmup", "0", behaviour="slow first").lines
    assert first["first_pass_ns"] > 50_000_000
    assert sum(first["samples_ns"]) < 50_000_000
    [prepared] = run(runner, tmp_path, behaviour="slow prepare").lines
    assert prepared["first_pass_ns"] + sum(prepared["samples_ns"]) < 50_000_000


def test_the_probe_is_work_beside_the_passes(runner: Path, tmp_path: Path) -> None:
    lines = run(runner, tmp_path, "--batch", "1,1,1,1,1", "--passes", "2").lines
    probes = [probe for line in lines for probe in line["probe_ns"]]
    assert len(probes) == 2 * len(lines)
    assert min(probes) > PROBE_STEPS / 6, "no CPU makes 6 dependent steps in a nanosecond"
    for sample in (0, -1):  # a probe in the pass would be in it every time
        assert min(line["samples_ns"][sample] for line in lines) < min(probes) / 2


def test_cpu_time_is_of_all_threads_and_not_of_waiting(runner: Path, tmp_path: Path) -> None:
    [waited] = run(runner, tmp_path, behaviour="slow prepare").lines
    assert sum(waited["probe_ns"]) < waited["cpu_ns"] < 50_000_000
    first, second = run(runner, tmp_path, "--batch", "1,2", behaviour="helper thread").lines
    assert first["cpu_ns"] > 60_000_000
    assert second["cpu_ns"] > first["cpu_ns"] + 60_000_000, "of the process so far"


def test_passes_are_one_first_then_warmup_then_timed(runner: Path, tmp_path: Path) -> None:
    done = run(runner, tmp_path, "--warmup", "4", "--passes", "6", behaviour="counting")
    assert done.stderr.count("pass\n") == 1 + 4 + 6


def test_an_answer_that_changes_between_passes_is_told(runner: Path, tmp_path: Path) -> None:
    [line] = run(runner, tmp_path, behaviour="drift").lines
    assert line["repeat_identical"] is False


def test_images_that_come_out_differently_are_told(runner: Path, tmp_path: Path) -> None:
    alone, pair = run(runner, tmp_path, "--batch", "1,2", behaviour="mixed images").lines
    assert alone["batch_max_abs_diff"] == 0
    assert pair["batch_max_abs_diff"] == pytest.approx(4 * 16777216.0)


def test_a_value_that_is_not_a_number_stays_valid_json(runner: Path, tmp_path: Path) -> None:
    [line] = run(runner, tmp_path, behaviour="nan").lines
    assert line["output"][1] is None
    [pair] = run(runner, tmp_path, "--batch", "2", behaviour="nan").lines
    assert pair["batch_max_abs_diff"] is None


def test_out_of_memory_is_a_result_after_the_good_batches(runner: Path, tmp_path: Path) -> None:
    done = run(runner, tmp_path, "--batch", "1,2,4,8", behaviour="large batch")
    assert done.status == 3
    assert [(line["batch"], line["status"]) for line in done.lines] == [
        (1, "ok"),
        (2, "ok"),
        (4, "oom"),
    ]
    assert done.lines[-1]["samples_ns"] == done.lines[-1]["probe_ns"] == []
    assert done.lines[-1]["first_pass_ns"] is None


def test_a_stack_that_aborts_gives_up_with_its_own_words(runner: Path, tmp_path: Path) -> None:
    done = run(runner, tmp_path, behaviour="abort")
    assert done.status == 3
    assert [line["status"] for line in done.lines] == ["oom"]
    assert done.lines[0]["message"] == 'a "quoted" line, ? and \\'


def test_a_runner_that_is_killed_still_tells_its_peak(runner: Path, tmp_path: Path) -> None:
    done = run(runner, tmp_path, "--batch", "1,2,4", "--passes", "7", behaviour="killed")
    assert done.status == 3
    good, killed = done.lines
    assert (good["batch"], good["status"]) == (1, "ok")
    assert good["peak_rss_kib"] < 64 << 10 <= killed["peak_rss_kib"] < 128 << 10
    told = {"batch": 2, "status": "oom", "passes": 7, "first_pass_ns": None, "samples_ns": []}
    assert killed | told | {"message": "killed, as the kernel does when memory runs out"} == killed
    assert killed["cpu_ns"] > good["cpu_ns"]
    assert killed.keys() == good.keys()


def test_any_other_signal_ends_it_as_a_shell_puts_it(runner: Path, tmp_path: Path) -> None:
    done = run(runner, tmp_path, behaviour="segmentation fault")
    assert (done.status, done.lines) == (128 + signal.SIGSEGV, [])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_ends_the_runner_ends_all_of_it(
    runner: Path, tmp_path: Path, end: signal.Signals
) -> None:
    argv = command(runner, tmp_path, behaviour="endless")
    for moment in range(20):  # at work, and at any point on the way there
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr
            if moment:
                time.sleep(moment / 4000)
            else:
                assert process.stderr.readline() == b"pass\n"
            process.send_signal(end)
            out, _ = process.communicate(timeout=20)  # the end of a pipe that all of it holds
        assert (process.returncode, out) == (-end, b"")


@pytest.mark.parametrize(
    ("starter", "behaviour", "status"),
    [(["timeout", "0.5"], "endless", 124), (["env", "--ignore-signal=CHLD"], "", 0)],
)
def test_whatever_starts_it(
    runner: Path, tmp_path: Path, starter: list[str], behaviour: str, status: int
) -> None:
    argv = [*starter, *command(runner, tmp_path, behaviour=behaviour)]
    assert subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == status


@pytest.mark.parametrize(
    ("options", "behaviour", "message"),
    [
        (("--threads", "9"), "", "at most 4 threads"),
        (("--batch", "2"), "ragged", "the output does not split into images of one size"),
        ((), "odd throw", "the stack threw something that is no std::exception"),
    ],
)
def test_an_error_is_a_line_with_its_message(
    runner: Path, tmp_path: Path, options: tuple[str, ...], behaviour: str, message: str
) -> None:
    done = run(runner, tmp_path, *options, behaviour=behaviour)
    assert done.status == 4
    assert [(line["status"], line["message"]) for line in done.lines] == [("error", message)]


def test_a_missing_input_is_an_error_that_names_the_file(runner: Path, tmp_path: Path) -> None:
    argv = [str(runner), "--model", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 4
    assert (
        json.loads(done.stdout)["message"] == f"{tmp_path}/input.f32: not a file of float32 values"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--batch", "0"), "'0' is not a whole number from 1"),
        (("--batch", "1,,2"), "'' is not a whole number"),
        (("--passes", "ten"), "'ten' is not a whole number"),
        (("--warmup", "-1"), "'-1' is not a whole number from 0"),
        (("--threads", "99999999999"), "is not a whole number"),
        (("--model", ""), "--model is missing"),
        (("--speed", "9"), "--speed"),
        (("extra",), "unexpected argument 'extra'"),
    ],
)
def test_bad_usage_is_refused_on_stderr(
    runner: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = run(runner, tmp_path, *options)
    assert (done.status, done.lines) == (2, [])
    assert said in done.stderr
    assert "usage: runner --model DIR" in done.stderr


def test_each_picture_has_a_class_whatever_the_batch(runner: Path, tmp_path: Path) -> None:
    """Five pictures in batches of two: the last pass is not full."""
    pictures = np.zeros((5, 4), np.float32)
    pictures[range(5), [2, 0, 3, 1, 2]] = 1
    pictures.tofile(tmp_path / "pictures")
    options = ["--batch", "1,2", "--passes", "1", "--pictures", str(tmp_path / "pictures")]
    lines = run(runner, tmp_path, *options).lines
    assert [line["classes"] for line in lines] == [[2, 0, 3, 1, 2]] * 2
    golden = [np.array(line["output"], np.float32) for line in lines]
    assert np.array_equal(golden, [2 * PIXELS] * 2), "what was timed is judged by its own answer"
    assert all(line["after_ns"] > 0 for line in lines)
    assert run(runner, tmp_path, "--passes", "1").lines[0]["classes"] is None


def test_an_answer_that_is_no_number_is_of_no_class(runner: Path, tmp_path: Path) -> None:
    np.zeros(8, np.float32).tofile(tmp_path / "pictures")
    options = ["--passes", "1", "--pictures", str(tmp_path / "pictures")]
    assert run(runner, tmp_path, *options, behaviour="nan").lines[0]["classes"] == [-1, -1]


def test_pictures_of_another_size_are_an_error(runner: Path, tmp_path: Path) -> None:
    np.zeros(7, np.float32).tofile(tmp_path / "pictures")
    done = run(runner, tmp_path, "--passes", "1", "--pictures", str(tmp_path / "pictures"))
    assert (done.status, done.lines[0]["status"]) == (4, "error")
    assert "not of the input's size" in done.lines[0]["message"]


def test_layers_are_told_in_their_order_and_added_up(runner: Path, tmp_path: Path) -> None:
    (line,) = run(runner, tmp_path, "--passes", "3", "--layers").lines
    names, times, counts = zip(*line["layers"], strict=True)
    assert names == ("first", "second", "own clock")
    assert times[0] >= 3 * 2_000_000 > times[1]
    assert times[2] == 3 * 1500
    assert counts[2] is None, "a stack's own clock counts no instructions"
    assert len(line["samples_ns"]) == 3


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("no layers", "this stack does not tell"), ("layers fail", 'no "room"')],
)
def test_a_stack_that_cannot_tell_its_layers_is_measured_all_the_same(
    runner: Path, tmp_path: Path, behaviour: str, words: str
) -> None:
    (line,) = run(runner, tmp_path, "--passes", "2", "--layers", behaviour=behaviour).lines
    assert (line["status"], line["layers"]) == ("ok", None)
    assert words in line["layers_message"]


def test_it_is_bound_to_the_processors_that_are_named(runner: Path, tmp_path: Path) -> None:
    mine = sorted(os.sched_getaffinity(0))
    one = str(mine[-1])
    (line,) = run(runner, tmp_path, "--passes", "1", "--cores", one).lines
    assert line["cores"] == one
    (free,) = run(runner, tmp_path, "--passes", "1").lines
    assert free["cores"] != one or len(mine) == 1


@pytest.mark.parametrize("cores", ["x", "1-", "-1", "3-1", "1,", "1--2", "99999", "1-2-3", ""])
def test_what_is_no_list_of_cores_is_refused(runner: Path, tmp_path: Path, cores: str) -> None:
    done = run(runner, tmp_path, "--passes", "1", f"--cores={cores}")
    assert done.status == 2
    assert "is no list of cores" in done.stderr
