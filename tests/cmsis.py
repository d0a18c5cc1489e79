"""A network's C and the plain functions that it calls, by this machine's compiler: every byte that
is read or written beyond a buffer, and every sum beyond 32 bits, ends the program."""

from __future__ import annotations

import atexit
import subprocess
from functools import cache
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.export.cmsis_places import placed
from buildmatrix.export.cmsis_source import header, source

if TYPE_CHECKING:
    from buildmatrix.export.q7 import Q7Network
    from buildmatrix.export.quantize import I8

PLAIN = Path(__file__).parent.parent / "recipes" / "cmsis-nn" / "plain"
COMPILER = (
    *("gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{PLAIN}"),
)
MAIN = """
#include "net.h"
#include <stdio.h>
int main(void) {
  while (fread(net_input, NET_INPUT_BYTES, 1, stdin) == 1) {
    const int refused = net_run();
    if (refused) return refused;
    fwrite(net_output, NET_OUTPUT_BYTES, 1, stdout);
  }
  return 0;
}
"""


@cache
def functions() -> tuple[str, ...]:
    """The plain functions, compiled once for a whole run of tests."""
    place = TemporaryDirectory(prefix="buildmatrix-cmsis-")
    atexit.register(place.cleanup)
    folder = Path(place.name)
    files = sorted(PLAIN.glob("*.c"))
    subprocess.run([*COMPILER, "-c", *files], cwd=folder, check=True)
    return tuple(str(folder / f"{file.stem}.o") for file in files)


def written(net: Q7Network, folder: Path) -> None:
    """net.h and net.c, as the format has them."""
    where = placed(net.layers)
    (folder / "net.h").write_text(header("net", net.layers, where))
    (folder / "net.c").write_text(source("net", net.layers, where))


def program(folder: Path) -> Path:
    """Of the folder's net.h and net.c: it answers each image of its input."""
    (folder / "main.c").write_text(MAIN)
    sources = [str(folder / name) for name in ("main.c", "net.c")]
    subprocess.run([*COMPILER, "-o", folder / "net", *sources, *functions()], check=True)
    return folder / "net"


def answers(net: Q7Network, images: I8, folder: Path) -> I8:
    """What the compiled network says to (count, channels, height, width) numbers."""
    written(net, folder)
    shown = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).tobytes()
    found = subprocess.run([program(folder)], input=shown, stdout=subprocess.PIPE, check=True)
    size = prod(net.layers[-1].step.after)
    return np.frombuffer(found.stdout, np.int8).reshape(len(images), size)
