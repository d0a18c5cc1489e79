"""Where glibc's loader looks for a library, on the files of a tree.

Source: glibc, elf/dl-load.c (_dl_map_object, fillin_rpath, is_dst), the same from 2.31 to 2.43 but
for the sub-folders by processor feature, which 2.37 dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.isa.features import features_of
from buildmatrix.nouns import Oddity, version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import ElfFacts, ElfTree, Target

MOST_LINKS = 40  # Linux's limit, after which it answers ELOOP
LOADABLE = ("ET_DYN", "ET_EXEC")

# What $LIB and $PLATFORM become: Debian's DL_DST_LIB, and AT_PLATFORM of the kernel. A 32-bit
# program sees v7l; of a processor that can do 64 bits v8l, where the kernel has them too.
MULTIARCH = {
    "EM_ARM": "arm-linux-gnueabihf",
    "EM_AARCH64": "aarch64-linux-gnu",
    "EM_X86_64": "x86_64-linux-gnu",
}
PLATFORMS = {"EM_ARM": ("v7l",), "EM_AARCH64": ("aarch64",), "EM_X86_64": ("x86_64",)}
PLATFORM_64 = "v8l"
# Up to 2.36 glibc looks into sub-folders of each folder first: tls, AT_PLATFORM and the features
# that count, highest first (sysdeps/unix/sysv/linux/*/dl-procinfo.h, HWCAP_IMPORTANT).
NO_FEATURE_FOLDERS = (2, 37)
FEATURE_FOLDERS = {"EM_ARM": ("neon", "vfp"), "EM_AARCH64": ("atomics",)}
TOKEN = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


CIRCLE = "\0"  # before the name of a link that leads back to itself; no path has it


@dataclass(frozen=True)
class Files:
    """The files of a tree by path, as the kernel opens them: through links, folder by folder."""

    tree: ElfTree
    machine: str  # whose loader looks

    @cached_property
    def by_path(self) -> Mapping[str, ElfFacts]:
        return {facts.file: facts for facts in self.tree.facts if facts.elf_type in LOADABLE}

    @cached_property
    def by_name(self) -> Mapping[str, tuple[str, ...]]:
        """Paths of the loader's own machine by file name, links to a file among them."""
        names: dict[str, list[str]] = {}
        for path in sorted({*self.by_path, *self.tree.links}):
            facts = self.open(path)
            if facts is not None and facts.machine == self.machine:
                names.setdefault(PurePosixPath(path).name, []).append(path)
        return {name: tuple(paths) for name, paths in names.items()}

    @cached_property
    def by_soname(self) -> Mapping[str, str]:
        """The first library of the loader's own machine that has each soname."""
        own = [f for f in self.by_path.values() if f.machine == self.machine]
        libraries = [f for f in own if f.soname and f.elf_type == "ET_DYN"]
        return {facts.soname: facts.file for facts in reversed(libraries)}

    @cached_property
    def folders(self) -> frozenset[str]:
        files = (*self.by_path, *self.tree.decoys)
        parents = {str(p) for file in files for p in PurePosixPath(file).parents}
        return self.tree.folders | {"" if p == "." else p for p in parents}

    def real(self, path: str) -> str | None:
        """The path of the file itself; that of a link behind CIRCLE, where links lead round; or
        None where a folder or the end of a link is not there.

        '..' is what the kernel takes it for, the folder above, also behind a link. A path above
        the tree's root is not known, nor is an absolute one unless the tree is a root folder.
        """
        if path.startswith("/") and not self.tree.rooted:
            return None
        walked: list[str] = []
        rest = path.split("/")[::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not walked:
                    return None
                walked.pop()
                continue
            here = "/".join((*walked, part))
            target = self.tree.links.get(here)
            if target is None:
                if rest and here not in self.folders:
                    return None
                walked.append(part)
                continue
            links += 1
            if links > MOST_LINKS:
                return f"{CIRCLE}{here}"
            if target.startswith("/") and not self.tree.rooted:
                return None
            walked = [] if target.startswith("/") else walked
            rest += target.split("/")[::-1]
        return "/".join(walked)

    @cached_property
    def refused(self) -> frozenset[str]:
        """Files and folders with which the loader ends its search: 'invalid ELF header', 'file too
        short', 'Is a directory'."""
        damaged = {odd.file for odd in self.tree.odd if odd.oddity is Oddity.DAMAGED}
        return self.tree.decoys | self.folders | damaged

    def open(self, path: str) -> ElfFacts | None:
        real = self.real(path)
        return None if real is None else self.by_path.get(real)


def platforms(target: Target) -> tuple[str, ...]:
    """What AT_PLATFORM may be: of more than one the kernel of the board decides."""
    known = PLATFORMS.get(target.machine, ("",))
    either = target.machine == "EM_ARM" and "armv8" in features_of(target)
    return (*known, PLATFORM_64) if either else known


def expanded(text: str, origin: str, target: Target) -> Sequence[str]:
    """A path with its tokens replaced, once for each thing that $PLATFORM may be.

    `origin` is the folder of the file that says so. An unknown token stays as it is written.
    """

    def with_platform(platform: str) -> str:
        machine = target.machine
        words = {"ORIGIN": origin or ".", "PLATFORM": platform}
        words["LIB"] = f"lib/{MULTIARCH[machine]}" if machine in MULTIARCH else "lib"
        return TOKEN.sub(lambda match: words.get(match[1] or match[2], match[0]), text)

    choices = platforms(target) if "PLATFORM" in text else ("",)
    return [with_platform(platform) for platform in choices]


def places(paths: Sequence[str], origin: str, target: Target) -> Iterator[str]:
    """The folders of a DT_RPATH or DT_RUNPATH, but those below whatever folder one starts in."""
    for path in paths:
        for place in expanded(path, origin, target):
            if path.startswith(("$ORIGIN", "${ORIGIN}")) or place.startswith("/"):
                yield place


def feature_folders(target: Target) -> Sequence[str]:
    """What is put behind a folder's name, in the order in which glibc looks; the last is empty.

    Where the target's glibc is not known it is taken for a newer one, which looks into none.
    """
    important = FEATURE_FOLDERS.get(target.machine)
    floor = target.libc_floor
    if important is None or not floor or version_tuple(floor) >= NO_FEATURE_FOLDERS:
        return ("",)
    has = features_of(target) | ({"vfp"} if target.fpu else set())
    words = ("tls", *platforms(target), *(word for word in important if word in has))
    choices = product(*((f"/{word}", "") for word in words))
    return tuple("".join(chosen) for chosen in choices)


def default_places(tree: ElfTree, target: Target) -> tuple[str, ...]:
    """Where a board's root folder has its libraries: ld.so's own list and Debian's ld.so.conf.d."""
    multiarch = MULTIARCH.get(target.machine)
    if not tree.rooted or multiarch is None:
        return ()
    folders = ("/usr/local/lib", "/lib", "/usr/lib")
    return (*(f"{folder}/{multiarch}" for folder in folders), *folders)
