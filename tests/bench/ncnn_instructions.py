"""How many instructions ncnn executes for each network whose times were published, by emulation.

`python -m tests.bench.ncnn_instructions ROOT SITE [NETWORK...]`: ROOT is a folder with an unpacked
64-bit ARM Python 3.11 (Debian's arm64 packages), SITE one with an unpacked wheel of ncnn for it. In
QEMU's user mode, with the counting plugin of virtual boards, one forward pass is counted:
instructions and quad multiply-adds, one thread, float32. Prints one JSON object, with
the seconds that emulation took and those of an estimate beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from buildmatrix import network
from buildmatrix.estimate import shown
from buildmatrix.export import ncnn as writer
from buildmatrix.isa.classes import Work
from buildmatrix.isa.classes import works as kinds_of
from buildmatrix.nouns import Cell
from buildmatrix.profile import counting
from buildmatrix.reference import Parameters
from buildmatrix.virtual import plugin
from tests.bench.published_networks import WRITTEN, drawn

GUEST = """
import glob, importlib.util, sys
site, folder, channels, size, *wanted = sys.argv[1:]
path, = glob.glob(site + "/ncnn/ncnn.cpython-311-*.so")
spec = importlib.util.spec_from_file_location("ncnn.ncnn", path)
ncnn = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ncnn)
net = ncnn.Net()
net.opt.num_threads = 1
for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
    if hasattr(net.opt, "use_" + name):
        setattr(net.opt, "use_" + name, False)
assert net.load_param(folder + "/net.param") == net.load_model(folder + "/net.bin") == 0
image = ncnn.Mat(int(size), int(size), int(channels))
image.fill(0.5)
print("loaded", flush=True)
sys.stdin.readline()
run = net.create_extractor()
run.input("data", image)
print(*(run.extract(name)[0] for name in wanted), flush=True)
sys.stdin.readline()
"""


def constants(net: network.NetworkSpec) -> tuple[Parameters, ...]:
    """Weights that are all the same: what is executed does not depend on them."""
    return tuple(
        Parameters(layer, np.full(shape, 0.01, np.float32), np.zeros(count, np.float32))
        for layer, shape, count in network.parameter_shapes(net)
    )


def ends(param: str) -> list[str]:
    """The values that no layer of ncnn's text reads."""
    made, read = [], set()
    for line in param.splitlines()[2:]:
        _, _, inputs, outputs, *names = line.split()
        read |= set(names[: int(inputs)])
        made += names[int(inputs) :][: int(outputs)]
    return [name for name in made if name not in read]


def counted(net: network.NetworkSpec, root: Path, site: Path) -> dict[str, float]:
    """Instructions, quad multiply-adds, seconds of the emulated pass that was counted, and seconds
    of an estimate beside it."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        files = writer.write(net, constants(net))
        for name, content in files.items():
            (folder / name).write_bytes(content)
        size = network.input_shape(net)
        words = ["qemu-aarch64", "-plugin", plugin.compiled(folder), "-L", str(root)]
        words += [str(root / "usr/bin/python3.11"), "-c", GUEST, str(site), str(folder)]
        words += [str(size.channels), str(size.height), *ends(files["net.param"].decode())]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as guest:
            assert guest.stdin is not None
            assert guest.stdout is not None
            assert guest.stdout.readline() == "loaded\n"
            plugin.ask(folder)  # what loading ran is not the pass's
            began = time.monotonic()
            guest.stdin.write("\n")
            guest.stdin.flush()
            assert set(guest.stdout.readline().split()) == {"0"}
            seconds = time.monotonic() - began
            counts = counting.parse(plugin.ask(folder))
            guest.stdin.close()
    total = sum(count * len(block.instructions) for block, count in counts.items())
    quads = 0
    for block, count in counts.items():
        words_of = [int.from_bytes(word, "little") for word in block.instructions]
        quads += count * kinds_of(words_of, "a64").count(Work.QUAD)
    estimated = _estimate_seconds(net)
    return {
        "instructions": total,
        "quad": quads,
        "emulated_seconds": round(seconds, 1),
        "estimate_seconds": round(estimated, 3),
    }


def _estimate_seconds(net: network.NetworkSpec) -> float:
    """How long an estimate takes of a network that was read, for one board."""
    began = time.monotonic()
    place = shown.setting("pi4", 4)
    cell = Cell("ncnn", net.name, "ncnn", "arm64-bookworm", ())
    shown.document(cell, net, place, bits=64, known=shown.Knowledge(shown.shipped()))
    return time.monotonic() - began


def main() -> None:
    root, site, *names = sys.argv[1:]
    found = {}
    for name in names or WRITTEN:
        found[name] = counted(drawn(name), Path(root), Path(site))
        sys.stderr.write(f"{name} {found[name]}\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
