"""What a compiler's cache could serve wrongly, tried: each object beside one compiled anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import cli
from tests.tiny import SCRIPT, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker

# Two headers of one name, one size and one time; a response file, a specs file and a binary that
# are written over in place; settings that no argument shows.
BEGINNING = r"""
CC={{ target.triple ~ "-gcc" }}
mkdir one two
cat >part.c <<'END'
#include <value.h>
int part(int *a, int *b) {
  for (int i = 0; i < 64; i++) a[i] = a[i] * VALUE + b[i] * FACTOR;
  return VALUE;
}
END
cat >kept.c <<'END'
__asm__(".section .rodata\nkept: .incbin \"binary\"\n.previous\n");
END
echo '#define VALUE 1' >one/value.h
echo '#define VALUE 2' >two/value.h
touch -d @1 one/value.h two/value.h

compare() { # the arguments of one compile: from the cache if it will, and anew
  "$CC" "$@" -c -o cached.o
  CCACHE_DISABLE=1 "$CC" "$@" -c -o anew.o
  if ! cmp cached.o anew.o; then
    echo "error: the compiler's cache gave another object for: $*" >&2
    exit 1
  fi
}

every() {
  compare kept.c
  for factor in 1 2; do
    for folder in one two; do
      for flags in '-O1' '-O2' '-O3' '-O2 -mthumb' '-O2 -marm' '-g' '-O2 -fPIC' \
        '-O2 -Wa,--noexecstack' '-O2 -mfpu=neon' \
        '-O2 -mfpu=neon-vfpv4 -funsafe-math-optimizations'; do
        compare part.c $flags -I$folder -DFACTOR=$factor
      done
      C_INCLUDE_PATH=$folder compare part.c -O2 -DFACTOR=$factor
      CPATH=$folder compare part.c -O2 -DFACTOR=$factor
      compare part.c -O2 -include $folder/value.h -I. -Ione -DFACTOR=$factor
      echo "-O2 -DFACTOR=$factor -I$folder" >arguments
      compare part.c @arguments
      cp -p $folder/value.h value.h
      compare part.c -O2 -I. -DFACTOR=$factor
      rm value.h
    done
  done
}

echo first >binary
every
echo other >binary
every
every
ccache --show-stats >/ccache/counted
"""


def test_no_flag_header_or_setting_is_served_anothers_object(project: Path, tmp_path: Path) -> None:
    write_recipe(project, "tiny", BEGINNING + SCRIPT)
    state = tmp_path / "state"
    for cell in ("tiny-1", "tiny-2"):  # the second finds what the first has kept
        cli.run("build", "--only", cell, cwd=project, state=state)
    counted = (state / "ccache" / "tiny@armv7hf-bookworm" / "counted").read_text()
    hits = next(line for line in counted.splitlines() if "Hits:" in line)
    assert int(hits.split()[1]) > 100, counted


SHADOWED = r"""
CC={{ target.triple ~ "-gcc" }}
cp -a {{ source.src }}/. .
test ! -e /recipe/new.patch || patch -p1 </recipe/new.patch
"$CC" -O2 -Iown -Isystem -c part.c -o cached.o
CCACHE_DISABLE=1 "$CC" -O2 -Iown -Isystem -c part.c -o anew.o
cmp cached.o anew.o
"""
PATCH = """\
--- /dev/null
+++ b/own/value.h
@@ -0,0 +1 @@
+#define VALUE 3
"""


def test_a_header_that_is_found_before_the_old_one_is_not_overlooked(
    project: Path, tmp_path: Path
) -> None:
    """It was not there when the object was kept, so no file that ccache knows of has changed."""
    source, state = project / "src", tmp_path / "state"
    (source / "part.c").write_text("#include <value.h>\nint part(void) { return VALUE; }\n")
    for folder in ("own", "system"):
        (source / folder).mkdir()
    (source / "own" / "other.h").touch()
    (source / "system" / "value.h").write_text("#define VALUE 1\n")
    write_recipe(project, "tiny", SHADOWED + SCRIPT)
    cli.run("build", "--only", "tiny-1", cwd=project, state=state)

    recipe = project / "recipes" / "tiny"
    (recipe / "new.patch").write_text(PATCH)
    spec = (recipe / "recipe.yaml").read_text()
    (recipe / "recipe.yaml").write_text(spec.replace("{script:", "{files: [new.patch], script:"))
    cli.run("build", "--only", "tiny-1", cwd=project, state=state)

    (source / "own" / "value.h").write_text("#define VALUE 2\n")
    write_recipe(project, "tiny", SHADOWED + SCRIPT)
    cli.run("build", "--only", "tiny-1", cwd=project, state=state)
