"""Which files of a process may define the names of one of its files.

A tree has as many processes as programs, and most of each is libraries that others load too. A
file's names hang on the few files that offer any of them: where two processes have the same ones in
the same order, the answer is the same, and the work grows with the tree and not with its square.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.audit.process import Process
    from buildmatrix.nouns import ElfFacts


class Exporters:
    """Who offers each name that is asked for, over all files of some processes."""

    def __init__(self, processes: Iterable[Process]) -> None:
        files = {facts.file: facts for process in processes for facts in process.files}
        tables = [(file, facts.symbols) for file, facts in files.items() if facts.symbols]
        wanted = {one.name for _file, table in tables for one in table.imports}
        by_name: dict[str, list[str]] = defaultdict(list)
        for file, table in tables:
            if files[file].linking.hashed:
                for name in wanted.intersection(table.exports):
                    by_name[name].append(file)
        self._by_name = by_name
        self._for_file: dict[str, frozenset[str]] = {}

    def within(self, process: Process, asker: ElfFacts) -> Sequence[ElfFacts]:
        """The files of the process that offer any name that `asker` asks for, in the order in which
        the loader looks."""
        offering = self._for_file.get(asker.file)
        if offering is None:
            imports = asker.symbols.imports if asker.symbols is not None else ()
            names = {one.name for one in imports}
            offering = frozenset(file for name in names for file in self._by_name.get(name, ()))
            self._for_file[asker.file] = offering
        return [facts for facts in process.files if facts.file in offering]
