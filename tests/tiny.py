"""A project of two cells over one library of one function, for real builds that end soon."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent

RECIPE = """\
version: 1
name: {name}
summary: a library of one function
options:
  answer: {{summary: what it returns, type: integer, default: 42}}
sources:
  - name: src
    tree: {tree}
    alternates: [{{kind: folder, path: src}}]
build: {{script: build.sh.j2, products: [lib/libtiny.so.1], memory_gib: 1, minutes: 5}}
"""

SCRIPT = """\
{{ target.triple ~ "-gcc" }} {{ flags }} -shared -fPIC -Wl,-soname,libtiny.so.1 \\
  -DANSWER={{ option.answer }} -o tiny.so {{ source.src }}/tiny.c
mkdir -p /out/lib
cp tiny.so /out/lib/libtiny.so.1
"""

MATRIX = """\
version: 1
toolchain: armv7hf-bookworm
axes: {stack: [tiny], answer: [1, 2]}
name: "{stack}-{answer}"
"""


def write(root: Path) -> None:
    """The project, with the real toolchains, into a folder that has none of it."""
    for name in ("toolchains", "models"):
        shutil.copytree(ROOT / name, root / name)
    (root / "src").mkdir()
    (root / "src" / "tiny.c").write_text("int tiny(void) { return ANSWER; }\n")
    (root / "matrix.yaml").write_text(MATRIX)
    write_recipe(root, "tiny", SCRIPT)


def write_recipe(root: Path, name: str, script: str) -> None:
    """A recipe of that name, of the source as it is now."""
    from buildmatrix.sources.tree import tree_id

    folder = root / "recipes" / name
    folder.mkdir(parents=True, exist_ok=True)
    tree = tree_id(root / "src")
    (folder / "recipe.yaml").write_text(RECIPE.format(name=name, tree=tree))
    (folder / "build.sh.j2").write_text(script)
