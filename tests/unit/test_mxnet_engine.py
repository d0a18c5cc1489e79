"""MXNet's engine for the harness against a stand-in that answers the calls as libmxnet does.

What the real library does with them is shown by the cells mxnet-wheel-*.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from buildmatrix.schema import load

pytestmark = pytest.mark.slow  # compiles C++

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / "buildmatrix" / "harness"
ENGINE = ROOT / "recipes" / "mxnet" / "runner" / "engine.cpp"

HEADER = r"""
#pragma once
#include <stdint.h>
typedef void* PredictorHandle;
typedef void* SymbolHandle;
extern "C" {
const char* MXGetLastError();
int MXNDArrayWaitAll();
int MXSymbolCreateFromJSON(const char*, SymbolHandle*);
int MXSymbolListAttr(SymbolHandle, uint32_t*, const char***);
int MXSymbolFree(SymbolHandle);
int MXPredCreate(const char*, const void*, int, int, int, uint32_t, const char**,
                 const uint32_t*, const uint32_t*, PredictorHandle*);
int MXPredGetOutputShape(PredictorHandle, uint32_t, uint32_t**, uint32_t*);
int MXPredSetInput(PredictorHandle, const char*, const float*, uint32_t);
int MXPredForward(PredictorHandle);
int MXPredGetOutput(PredictorHandle, uint32_t, float*, uint32_t);
int MXPredFree(PredictorHandle);
}
"""

# Doubles each image's values. Lazy, as MXNet is: a pass that nobody waits for is never done. What
# it notes goes to stderr; the symbol's text says how it fails.
LIBRARY = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include "mxnet/c_api.h"

struct Net { uint32_t shape[4]; std::vector<float> in, out; bool queued; };
std::string fault, symbol;
int alive;

// What a library can know: the environment as it is when the library is initialised.
__attribute__((constructor)) void initialise() {
  for (const char* name : {"OMP_NUM_THREADS", "MXNET_CPU_WORKER_NTHREADS", "MXNET_ENGINE_TYPE",
                           "MXNET_MKLDNN_ENABLED", "OMP_WAIT_POLICY", "KEPT"}) {
    const char* value = getenv(name);
    std::fprintf(stderr, "%s=%s\n", name, value ? value : "(unset)");
  }
}

int fail(const char* text) { fault = text; return -1; }
Net* pending;

extern "C" {
int omp_get_max_threads() { return atoi(getenv("OMP_NUM_THREADS")) + (getenv("ONE_MORE") ? 1 : 0); }
int blas_threads = 8;
void openblas_set_num_threads(int threads) { blas_threads = threads > 4 ? 4 : threads; }
int openblas_get_num_threads() { return blas_threads; }
int openblas_get_parallel() { return getenv("BLAS_ON_OPENMP") ? 2 : 1; }
const char* MXGetLastError() { return fault.c_str(); }
int MXSymbolCreateFromJSON(const char* json, SymbolHandle* out) {
  symbol = json;
  *out = 0;
  return 0;
}
int MXSymbolListAttr(SymbolHandle, uint32_t* size, const char*** out) {
  static const char* pairs[] = {"conv1$kernel", "(7, 7)", "data$__shape__", "(1, 1, 2, 2)"};
  *size = symbol == "no shape" ? 1 : 2;
  *out = pairs;
  return 0;
}
int MXSymbolFree(SymbolHandle) { return 0; }
int MXPredCreate(const char*, const void* bytes, int size, int device, int, uint32_t inputs,
                 const char** keys, const uint32_t* bounds, const uint32_t* shape,
                 PredictorHandle* out) {
  if (alive) return fail("two predictors at a time");
  if (inputs != 1 || std::strcmp(keys[0], "data") || bounds[1] != 4 || device != 1) {
    return fail("not one input 'data' on the CPU");
  }
  if (std::string((const char*)bytes, size) != "weights") return fail("other weights");
  if (symbol == "full" && shape[0] > 1) {
    return fail("MXNetError: Failed to allocate CPU Memory\nStack trace:");
  }
  Net* net = new Net();
  for (int i = 0; i < 4; ++i) net->shape[i] = shape[i];
  *out = net;
  alive = 1;
  return 0;
}
int MXPredGetOutputShape(PredictorHandle net, uint32_t, uint32_t** shape, uint32_t* size) {
  *shape = ((Net*)net)->shape;
  *size = 4;
  return 0;
}
int MXPredSetInput(PredictorHandle handle, const char*, const float* data, uint32_t size) {
  Net* net = (Net*)handle;
  if (size != net->shape[0] * 4) return fail("size mismatch");
  net->in.assign(data, data + size);
  return 0;
}
int MXPredForward(PredictorHandle net) { pending = (Net*)net; return 0; }
int MXNDArrayWaitAll() {
  if (!pending) return 0;
  if (symbol == "full later") return fail("std::bad_alloc");
  if (symbol == "broken") return fail("Check failed: x");
  pending->out = pending->in;
  for (float& value : pending->out) value *= 2;
  pending = 0;
  std::fprintf(stderr, "pass done\n");
  return 0;
}
int MXPredGetOutput(PredictorHandle handle, uint32_t, float* data, uint32_t size) {
  Net* net = (Net*)handle;
  if (net->out.size() != size) return fail("no output");
  std::memcpy(data, net->out.data(), size * sizeof(float));
  return 0;
}
int MXPredFree(PredictorHandle net) { delete (Net*)net; alive = 0; return 0; }
}
"""


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By what -DBUILDMATRIX_ONEDNN says, "" where it is not given."""
    folder = tmp_path_factory.mktemp("mxnet")
    (folder / "mxnet").mkdir()
    for name in ("c_api.h", "c_predict_api.h"):
        (folder / "mxnet" / name).write_text(HEADER)
    (folder / "fake.cpp").write_text(LIBRARY)
    compiled(folder, "-shared", "-fPIC", "fake.cpp", "-o", "libmxnet.so")
    made = {}
    for said in ("", "0", "1"):
        made[said] = folder / f"runner{said}"
        define = [f"-DBUILDMATRIX_ONEDNN={said}"] if said else []
        sources = [str(ENGINE), str(HARNESS / "harness.cpp")]
        link = ["-L.", "-lmxnet", "-ldl", "-pthread", "-Wl,-rpath,$ORIGIN"]
        options = ["-Wall", "-Wextra", "-Werror", "-I", str(HARNESS), "-I.", *define]
        compiled(folder, *options, *sources, *link, "-o", made[said].name)
    return made


def compiled(folder: Path, *arguments: str) -> None:
    argv = ["g++", "-std=c++14", "-O1", *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def run(
    runner: Path, model: Path, *options: str, symbol: str = "fine", **environment: str
) -> tuple[list[dict[str, Any]], str]:
    """The lines, and what the stand-in noted from the start that measured."""
    np.array([1, 2, 3, 4], dtype="<f4").tofile(model / "input.f32")
    (model / "net-symbol.json").write_text(symbol)
    (model / "net-0000.params").write_text("weights")
    done = subprocess.run(
        [str(runner), "--model", str(model), *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_every_batch_has_its_own_predictor_and_every_pass_is_waited_for(
    runners: dict[str, Path], tmp_path: Path
) -> None:
    lines, notes = run(runners[""], tmp_path, "--batch", "1,4,2", "--passes", "3", "--warmup", "2")
    assert [(line["status"], line["message"]) for line in lines] == [("ok", "")] * 3
    assert [line["output"] for line in lines] == [[2, 4, 6, 8]] * 3
    assert notes.count("pass done\n") == 3 * (1 + 2 + 3)


@pytest.mark.parametrize("arguments", [(), ("--threads", "3"), ("--threads=2",)])
def test_the_library_finds_the_environment_to_measure_in(
    runners: dict[str, Path], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    others = {"OMP_NUM_THREADS": "7", "MXNET_ENGINE_TYPE": "NaiveEngine", "KEPT": "yes"}
    [line], notes = run(runners["0"], tmp_path, *arguments, **others)
    assert (line["status"], line["message"]) == ("ok", "")
    assert notes.startswith(
        f"OMP_NUM_THREADS={line['threads']}\nMXNET_CPU_WORKER_NTHREADS=1\n"
        "MXNET_ENGINE_TYPE=(unset)\nMXNET_MKLDNN_ENABLED=0\nOMP_WAIT_POLICY=passive\nKEPT=yes\n"
    )


def test_onednn_is_switched_by_the_build_and_left_alone_without_a_word(
    runners: dict[str, Path], tmp_path: Path
) -> None:
    said = {k: run(runner, tmp_path, MXNET_MKLDNN_ENABLED="7")[1] for k, runner in runners.items()}
    assert [f"MXNET_MKLDNN_ENABLED={v}\n" in said[k] for k, v in (("0", "0"), ("1", "1"))] == [
        True,
        True,
    ]
    assert "MXNET_MKLDNN_ENABLED=(unset)\n" in said[""]
    assert "OMP_WAIT_POLICY=(unset)\n" in said["1"], "there is no second set of threads to wait for"


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (("--threads", "6"), {}, "this BLAS uses 4 thread(s), not 6"),
        (("--threads", "2"), {"ONE_MORE": "1"}, "OpenMP uses 3 thread(s), not 2"),
        (("--thread", "2"), {}, "the environment that MXNet read uses 1 thread(s), not 2"),
    ],
)
def test_what_is_not_exactly_as_many_threads_is_refused(
    runners: dict[str, Path],
    tmp_path: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    message: str,
) -> None:
    [line], _ = run(runners[""], tmp_path, *arguments, **environment)
    assert (line["status"], line["message"]) == ("error", message)


def test_onednn_on_a_blas_with_threads_of_its_own_is_for_one_thread(
    runners: dict[str, Path], tmp_path: Path
) -> None:
    def status(built: str, *arguments: str, **environment: str) -> str:
        [line], _ = run(runners[built], tmp_path, *arguments, **environment)
        return f"{line['status']} {line['message']}".strip()

    assert status("1", "--threads", "2").startswith("error with oneDNN on this BLAS more threads")
    assert status("1", "--threads", "1") == "ok"
    assert status("1", "--threads", "2", BLAS_ON_OPENMP="1") == "ok"
    assert status("0", "--threads", "2") == "ok"


@pytest.mark.parametrize(
    ("symbol", "statuses", "message"),
    [
        ("full", ["ok", "oom"], "out of memory"),
        ("full later", ["oom"], "out of memory"),
        ("broken", ["error"], "Check failed: x"),
        (
            "no shape",
            ["error"],
            "net-symbol.json: the input 'data' has no __shape__ (1, C, H, W)",
        ),
    ],
)
def test_memory_that_is_refused_is_told_from_other_faults(
    runners: dict[str, Path], tmp_path: Path, symbol: str, statuses: list[str], message: str
) -> None:
    lines, _ = run(runners[""], tmp_path, "--batch", "1,2", symbol=symbol)
    assert [line["status"] for line in lines] == statuses
    assert lines[-1]["message"] == message


def test_the_exported_input_tells_the_shape_that_the_engine_asks_for(tmp_path: Path) -> None:
    net = load(ROOT / "models" / "face-cnn" / "model.yaml", NetworkSpec)
    export(net, format="mxnet", destination=tmp_path)
    [data, *_] = json.loads((tmp_path / "net-symbol.json").read_text())["nodes"]
    assert (data["name"], data["attrs"]) == ("data", {"__shape__": "(1, 1, 88, 88)"})
