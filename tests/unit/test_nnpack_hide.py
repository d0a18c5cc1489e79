"""What PyTorch's library may not show to a program that has a BLAS of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # compiles C

HIDE = Path(__file__).parents[2] / "recipes" / "nnpack" / "hide.py"
LIBRARY = """\
extern "C" int blas() { return 1; }
extern "C" int nnp_answer() { return blas(); }
"""
PROGRAM = """\
#include <cstdio>
#include <dlfcn.h>
extern "C" int nnp_answer();
#ifdef OWN
extern "C" int blas() { return 2; }
#endif
int main() { std::printf("%d %s", nnp_answer(), dlsym(RTLD_DEFAULT, "blas") ? "seen" : "hidden"); }
"""


def says(folder: Path, *defines: str) -> str:
    """What a program that takes its NNPACK from the library says."""
    link = [f"-L{folder}", "-lfound", f"-Wl,-rpath,{folder}", "-ldl"]
    argv = ["g++", *defines, "-rdynamic", "-o", "program", "program.cpp", *link]
    subprocess.run(argv, cwd=folder, check=True, timeout=60)
    return subprocess.check_output([folder / "program"], timeout=60, text=True)


def test_a_library_is_left_with_its_own_functions_and_gives_none_away(tmp_path: Path) -> None:
    (tmp_path / "program.cpp").write_text(PROGRAM)
    (tmp_path / "library.cpp").write_text(LIBRARY)
    library = tmp_path / "libfound.so"
    argv = ["g++", "-shared", "-fPIC", "-o", library.name, "library.cpp"]
    subprocess.run(argv, cwd=tmp_path, check=True, timeout=60)
    before = library.read_bytes()
    assert (says(tmp_path, "-DOWN"), says(tmp_path)) == ("2 seen", "1 seen")

    subprocess.run([sys.executable, HIDE, library, "nnp_"], check=True, timeout=60)

    assert (says(tmp_path, "-DOWN"), says(tmp_path)) == ("1 seen", "1 hidden")
    after = library.read_bytes()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [(0, 2)]  # STV_HIDDEN
