"""How long import and export of a large ONNX file take, and how much memory, beside onnx itself.

`python -m tests.bench.onnx_import [MEGABYTES]`: a network with so many weights is written once.
Each figure is of a process of its own: onnx.load and onnx.save of the file; and our reading of it
into a network, without the golden answer, and writing that as ONNX. Loading libraries is not
timed. Ratios of one run.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime  # noqa: F401  -- what a process loads once is not timed

from buildmatrix import schema
from buildmatrix.export import onnx as writer
from buildmatrix.imported import convert, read, simplify  # noqa: F401
from buildmatrix.imported.spec import FileNetworkSpec
from tests import onnx_files
from tests.onnx_files import drawn, node

WIDTH = 512


def large(megabytes: int) -> onnx.ModelProto:
    """1x1 and 3x3 convolutions over a small image, as many as have these weights."""
    nodes, weights, last = [], {}, "image"
    for place in range(max(megabytes * 2**20 // (WIDTH * WIDTH * 9 * 4), 1)):
        weights[f"w{place}"] = drawn(WIDTH, WIDTH, 3, 3, seed=place)
        weights[f"b{place}"] = drawn(WIDTH)
        names = f"{last} w{place} b{place}"
        nodes.append(node("Conv", names, f"c{place}", pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", f"c{place}", f"r{place}"))
        last = f"r{place}"
    nodes.append(node("GlobalAveragePool", last, "prob"))
    return onnx_files.model(nodes, weights, size=("N", WIDTH, 4, 4))


def by_onnx(folder: Path) -> None:
    onnx.save(onnx.load(folder / "net.onnx"), folder / "copy.onnx")


def by_us(folder: Path) -> None:
    net, parameters = read(schema.load(folder / "model.yaml", FileNetworkSpec), folder)
    for name, content in writer.write(net, parameters).items():
        (folder / f"ours-{name}").write_bytes(content)


WAYS = {"onnx": by_onnx, "ours": by_us}


def measured(way: str, folder: Path) -> tuple[float, float]:
    """(seconds, MB at most) of one way in a process of its own."""
    words = [sys.executable, "-m", "tests.bench.onnx_import", way, str(folder)]
    seconds, most = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(most)


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        started = time.perf_counter()
        WAYS[sys.argv[1]](Path(sys.argv[2]))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"{time.perf_counter() - started} {most}\n")
        return
    megabytes = int(sys.argv[1]) if sys.argv[1:] else 100
    with TemporaryDirectory() as place:
        folder = onnx_files.write(Path(place) / "large", large(megabytes))
        size = (folder / "net.onnx").stat().st_size / 2**20
        rounds = [(measured("onnx", folder), measured("ours", folder)) for _ in range(5)]
    times = sorted(ours[0] / theirs[0] for theirs, ours in rounds)
    memory = sorted(ours[1] / theirs[1] for theirs, ours in rounds)
    (seconds, most), (mine, high) = rounds[-1]
    sys.stdout.write(
        f"{size:.0f} MB: onnx {seconds:.2f} s and {most:.0f} MB, ours {mine:.2f} s and "
        f"{high:.0f} MB; medians of 5: {times[2]:.2f} times as long, {memory[2]:.2f} times "
        "as much memory\n"
    )


if __name__ == "__main__":
    main()
