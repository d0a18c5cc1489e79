"""What compilers wrote down of their command line, where they did.

GCC does so in the debug information (DW_AT_producer) and, asked with -frecord-gcc-switches, in
.GCC.command.line; clang in the same two places with -grecord-command-line. GCC writes what its
driver made of the words: for -march=native it is the processor's own name and its caches' sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.elf.tables import Image
    from buildmatrix.elf.units import Units

PREFIXES = ("-m", "--param=l1-cache-", "--param=l2-cache-")


def machine_switches(image: Image, units: Units | None) -> tuple[str, ...]:
    """The recorded switches that speak of the processor, each once, sorted."""
    words = {word for line in _command_lines(image) for word in line.split()}
    words |= {word for unit in (units.rows if units else ()) for word in unit.switches}
    return tuple(sorted(word for word in words if word.startswith(PREFIXES)))


def _command_lines(image: Image) -> Iterator[str]:
    """Each ends with a NUL; GCC before 11 ended each word with one."""
    section = image.named(".GCC.command.line")
    if section is not None:
        yield from bytes(image.content(section)).decode(errors="replace").split("\0")
