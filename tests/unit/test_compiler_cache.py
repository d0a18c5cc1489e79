"""For which builds what the compiler's cache keeps counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.compiler_cache import configuration
from buildmatrix.protocols import Mount

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = """\
--- a/src/pooling.cpp\t2020-01-01
+++ b/src/pooling.cpp\t2020-01-02
@@ -1 +1 @@
-int a;
+int b;
"""
CREATED = """\
--- /dev/null\t1970-01-01
+++ b/include/pooling.h\t2020-01-02
@@ -0,0 +1 @@
+int b;
"""


class Inputs:
    """The folders that a build is given."""

    def __init__(self, root: Path) -> None:
        self.source, self.recipe = root / "src", root / "recipe"
        (self.source / "x").mkdir(parents=True)
        (self.source / "x" / "a.c").write_text("int a;\n")
        self.recipe.mkdir()
        (self.recipe / "one.patch").write_text("")

    def text(self, toolchain: str = "t") -> str:
        mounts = (Mount(self.source, "/src"), Mount(self.recipe, "/recipe"))
        return configuration(toolchain, mounts)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path)


def test_other_content_under_the_same_names_is_for_ccache_to_see(inputs: Inputs) -> None:
    before = inputs.text()
    assert "\nnamespace = " in before
    (inputs.source / "x" / "a.c").write_text("int b;\n")
    (inputs.recipe / "one.patch").write_text(CHANGED)
    assert inputs.text() == before


def test_another_name_is_another_cache(inputs: Inputs) -> None:
    before = inputs.text()
    (inputs.source / "a.h").touch()
    assert inputs.text() != before


def test_a_linked_folder_has_a_name_too(inputs: Inputs) -> None:
    before = inputs.text()
    (inputs.source / "y").symlink_to("x")
    assert inputs.text() != before


def test_what_a_patch_creates_counts(inputs: Inputs) -> None:
    before = inputs.text()
    (inputs.recipe / "one.patch").write_text(CHANGED + CREATED)
    assert inputs.text() != before


def test_another_toolchain_is_another_cache(inputs: Inputs) -> None:
    assert inputs.text("t") != inputs.text("u")
