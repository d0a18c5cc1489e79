"""The cache of compiled objects that a build's compilers use: its settings, its bounds, its name.

ccache looks up an object by the command and by the content of every file that the compiler once
read for it. A header that was not there then and is found first now changes neither: it would serve
the object of the old one (ccache's manual says so of its direct mode; seen with 4.7.5). So what was
kept counts only for builds to which files of the same names are given.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.cachekey import digest
from buildmatrix.usage import weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.protocols import Mount

# Read-only in the container and the only one that counts (CCACHE_CONFIGPATH): a build that writes a
# ccache.conf into its cache changes nothing for the next. The compiler is told by its content, so
# that a rebuilt image with other bytes under the same date is not taken for the old one.
SETTINGS = "max_size = 5G\ncompiler_check = content\n"
MOST = 10 << 30  # bytes: ccache bounds its own, and a build may write others beside them
RECIPE = "/recipe"  # where a container has the recipe's files
# What a patch creates: its old name is /dev/null, the new one may have a date behind a tab.
CREATED = re.compile(rb"^--- /dev/null.*\n\+\+\+ ([^\t\n]+)", re.MULTILINE)


def bound(folder: Path) -> None:
    """Remove a cache that outgrew its bound."""
    if weight(folder)[0] > MOST:
        scratch.discard(folder)


def configuration(toolchain: str, inputs: Sequence[Mount]) -> str:
    """The text of ccache.conf for a build in that toolchain which is given these files."""
    names = sorted(name for mount in inputs for name in _names(mount))
    return f"{SETTINGS}namespace = {digest({'toolchain': toolchain, 'names': names})[:16]}\n"


def _names(mount: Mount) -> Iterator[str]:
    """Every name as the container sees it, and what patches among a recipe's files create."""
    yield mount.container
    for folder, folders, files in os.walk(mount.host):
        below = mount.container + folder.removeprefix(str(mount.host))
        yield from (f"{below}/{name}" for name in (*folders, *files))
        if mount.container == RECIPE:
            for name in files:
                created = CREATED.findall(Path(folder, name).read_bytes())
                yield from (one.decode(errors="replace") for one in created)
