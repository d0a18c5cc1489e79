"""Why a build in a container failed, judged from how it ended and from what it printed last."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.protocols import ContainerExit

# The compiler driver's, the compilers', the assembler's and the linkers' own words for memory that
# they did not get. Sources: GCC 12 and 14 (driver: 'Killed signal'; cc1plus: 'out of memory
# allocating', 'virtual memory exhausted'), binutils 2.40 ('memory exhausted', and ld's bfd error
# 'Memory exhausted'; gold 'out of memory'), LLVM 14 to 19 ('LLVM ERROR: out of memory',
# 'Allocation failed', lld 'failed to open: Cannot allocate memory'), mold, make's fork; and of what
# else runs in builds: Python 3.11, rustc 1.85 (alloc's handler), Java 17, make of a killed child.
MEMORY = re.compile(
    r"""Killed\ signal\ terminated\ program
      | internal\ compiler\ error:\ Killed
      | \bout\ of\ memory\b
      | \bmemory\ exhausted\b
      | \bCannot\ allocate\ memory\b
      | std::bad_alloc
      | ^MemoryError\b
      | memory\ allocation\ of\ \d+\ bytes\ failed
      | \bOutOfMemoryError\b
      | ^make.*\]\ Killed$
      | LLVM\ ERROR:\ Allocation\ failed
      | collect2:\ fatal\ error:\ ld\ terminated\ with\ signal\ 9
      | unable\ to\ execute\ command:\ Killed""",
    re.VERBOSE | re.IGNORECASE,
)

# What resolvers and downloaders say in a container that has no network: glibc (git, wget, pip),
# curl 7.88, CMake's file(DOWNLOAD), Python's urllib, Go, npm, apt 2.6, busybox's wget, Bazel, Java.
NETWORK = re.compile(
    r"""Temporary\ failure\ (in\ name\ resolution|resolving\ ')
      | Could\ not\ resolve\ (host|hostname)
      | unable\ to\ resolve\ host\ address
      | Couldn't\ resolve\ host\ name
      | Name\ or\ service\ not\ known
      | Network\ is\ unreachable
      | getaddrinfo\ (ENOTFOUND|EAI_AGAIN)
      | wget:\ bad\ address\ '
      | Unknown\ host:\ | \bUnknownHostException\b
      | dial\ tcp:\ lookup\ """,
    re.VERBOSE | re.IGNORECASE,
)

DISK = re.compile(r"No space left on device", re.IGNORECASE)

KILLED = 128 + 9  # a shell's status for SIGKILL; a script may choose it as well


@dataclass(frozen=True, slots=True)
class Limits:
    """What the container had."""

    memory_gib: int
    minutes: int
    jobs: int


def explained(
    ended: ContainerExit, lines: Sequence[str], limits: Limits, log: str
) -> tuple[str, str]:
    """What went wrong in one sentence, and what to do next. `lines` are the last of the output."""
    if ended.timed_out:
        return f"did not finish within {limits.minutes} minutes", "raise `minutes` in the recipe"
    if ended.out_of_memory or _any(MEMORY, lines):
        return (
            f"a compile was killed for memory (limit {limits.memory_gib} GiB, {limits.jobs} jobs)",
            "run with fewer --jobs, or raise `memory_gib` in the recipe",
        )
    if _any(DISK, lines):
        return "the disk of the state folder is full", "free space there; `inv doctor` shows it"
    if _any(NETWORK, lines):
        return (
            "the build wanted to download something, and builds have no network",
            f"add what it fetches under `sources` in the recipe; the log is {log}",
        )
    if ended.status == KILLED:
        return (
            f"the build script ended with status {KILLED}, a kill, and not for its limit of memory",
            f"read {log}; where the whole machine had no memory left, its kernel's log says so, "
            "and fewer --jobs help",
        )
    return f"the build script ended with status {ended.status}", f"read {log}"


def _any(signs: re.Pattern[str], lines: Sequence[str]) -> bool:
    return any(signs.search(line) for line in lines)
