"""That the cell called 'Caffe with NNPACK' is computed by NNPACK, and by no library in its place.

The bundle as it is shipped runs under the toolchain's emulator, with a library before it that says
every call of nnp_convolution_inference() and of cblas_sgemm(), and hands it on. PyTorch's library,
which carries NNPACK, has an OpenBLAS and a protobuf in it too: neither may stand in for Caffe's.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import pytest

from buildmatrix import images
from buildmatrix.container import DockerEngine
from buildmatrix.layers import ConvSpec, FcSpec
from buildmatrix.network import NetworkSpec, steps
from buildmatrix.pipeline import project
from buildmatrix.protocols import ContainerSpec, Mount
from buildmatrix.store import Store
from tests import rounds
from tests.boards import STATE
from tests.integration import cli
from tests.stacks import CHOSEN

ROOT = Path(__file__).parent.parent.parent
CELL = "caffe-nnpack-torch-1.9.0"
pytestmark = [
    pytest.mark.docker,
    pytest.mark.built(rounds.ALL),
    pytest.mark.skipif(CELL not in CHOSEN, reason="compiles Caffe again: `scripts/test stacks`"),
]
TOOLCHAIN = "arm64-bookworm"
WATCHER = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "convolution.h"

// Where the loader finds what Caffe and PyTorch's library both have.
__attribute__((constructor)) void tell() {
  for (const char *name : {"openblas_set_num_threads", "sgemm_nn",
                           "_ZN6google8protobuf8internal13VerifyVersionEiiPKc"}) {
    Dl_info found;
    const bool there = dladdr(dlsym(RTLD_DEFAULT, name), &found);
    fprintf(stderr, "from %s\n", there ? strrchr(found.dli_fname, '/') + 1 : name);
  }
}

template <typename Function>
Function *next(const char *name) { return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name)); }

extern "C" nnp_status nnp_convolution_inference(
    nnp_convolution_algorithm algorithm, nnp_convolution_transform_strategy strategy,
    size_t inputs, size_t outputs, nnp_size image, nnp_padding padding, nnp_size kernel,
    nnp_size stride, const float *from, const float *weights, const float *biases, float *to,
    void *workspace, size_t *size, nnp_activation activation, const void *parameters,
    pthreadpool_t pool, nnp_profile *profile) {
  if (from && to) fprintf(stderr, "convolution %zu %zu %zu\n", inputs, outputs, kernel.width);
  return next<decltype(nnp_convolution_inference)>("nnp_convolution_inference")(
      algorithm, strategy, inputs, outputs, image, padding, kernel, stride, from, weights, biases,
      to, workspace, size, activation, parameters, pool, profile);
}

extern "C" void cblas_sgemm(int order, int a_form, int b_form, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c,
                            int ldc) {
  fprintf(stderr, "sgemm %d %d %d\n", m, n, k);
  next<decltype(cblas_sgemm)>("cblas_sgemm")(order, a_form, b_form, m, n, k, alpha, a, lda, b, ldb,
                                             beta, c, ldc);
}
"""
SCRIPT = """\
aarch64-linux-gnu-g++ -shared -fPIC -w -DNNPACK_CONVOLUTION_ONLY -I. -o watcher.so watcher.cpp -ldl
exec qemu-aarch64 -E LD_PRELOAD=/work/watcher.so -E OPENBLAS_NUM_THREADS=1 \
  bundle/bin/runner --model "$1" --batch 2 --passes 1 --warmup 0
"""
BATCH, FORWARDS = 2, 2  # the first pass, which gives the output, and one that is timed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cell's bundle, and what the watcher is made of."""
    cli.run("build", "--only", CELL, cwd=ROOT, state=STATE)
    folder = tmp_path_factory.mktemp("watched")
    store = Store(STATE / "store")
    bundle = store.latest(f"bundle:{CELL}")
    assert bundle is not None
    store.checkout(bundle.key, folder / "bundle")
    (folder / "watcher.cpp").write_text(WATCHER)
    (folder / "pthreadpool.h").write_text("typedef struct pthreadpool *pthreadpool_t;\n")
    shutil.copy(ROOT / "recipes" / "nnpack" / "runner" / "convolution.h", folder)
    folder.chmod(0o777)  # the container's user is nobody
    return folder


def said(folder: Path, model: str) -> list[str]:
    """The lines of the runner and of the watcher, for two forward passes of two images."""
    lines: list[str] = []
    toolchain = project.load(ROOT / "matrix.yaml").toolchains[TOOLCHAIN]
    engine = DockerEngine()
    engine.run(
        ContainerSpec(
            image=images.tag_of(toolchain),
            argv=("sh", "-c", SCRIPT, "sh", model),
            mounts=(Mount(folder, "/work", writable=True),),
            environment={"LC_ALL": "C"},
            workdir="/work",
            memory_bytes=2 << 30,
            timeout_seconds=600,
            labels={"buildmatrix.work": "test"},
            user=f"{images.NOBODY}:{images.NOBODY}",
        ),
        lines.append,
    )
    engine.close()
    return lines


def answer(lines: list[str]) -> Any:
    """The runner's one line of JSON."""
    (found,) = (line for line in lines if line.startswith("{"))
    return json.loads(found)


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[str]:
    found = said(folder, "bundle/model")
    assert answer(found)["status"] == "ok"
    return found


def test_every_convolution_is_nnpacks_and_none_is_the_blas(lines: list[str]) -> None:
    network = project.load(ROOT / "matrix.yaml").network
    assert isinstance(network, NetworkSpec)
    convolutions: Counter[str] = Counter()
    products: set[str] = set()  # what Caffe's own convolution, and its full layers, ask the BLAS
    full: set[str] = set()
    for layer, before, after, *_ in steps(network):
        if isinstance(layer, ConvSpec):
            assert isinstance(layer.kernel, int)
            inputs, outputs = before.channels // layer.groups, layer.outputs // layer.groups
            called = f"convolution {inputs} {outputs} {layer.kernel}"
            convolutions[called] += FORWARDS * BATCH * layer.groups
            products.add(f"sgemm {outputs} {after.height * after.width} {inputs * layer.kernel**2}")
        if isinstance(layer, FcSpec):
            full.add(f"sgemm {BATCH} {layer.outputs} {prod(before)}")
    assert convolutions
    assert Counter(line for line in lines if line.startswith("convolution ")) == convolutions
    assert not products & set(lines)
    assert full <= set(lines), "or this would not see what the BLAS is asked"


def test_caffe_has_its_own_blas_and_protobuf(lines: list[str]) -> None:
    found = [line.removeprefix("from ") for line in lines if line.startswith("from ")]
    assert found == ["libopenblas.so.0", "libopenblas.so.0", "libprotobuf.so.32"]


def test_what_nnpack_cannot_do_is_refused_and_not_done_by_caffe(folder: Path) -> None:
    shutil.copytree(folder / "bundle" / "model", folder / "dilated", dirs_exist_ok=True)
    net = folder / "dilated" / "net.prototxt"
    net.write_text(net.read_text().replace("kernel_size: 7\n", "kernel_size: 7 dilation: 2\n", 1))
    found = answer(said(folder, "dilated"))
    assert (found["status"], found["message"]) == (
        "error",
        "conv1: NNPACK has no such convolution",
    )
