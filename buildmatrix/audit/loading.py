"""What the loader brings together, at the start and by dlopen, as glibc does it.

Breadth first; a name that is loaded already, by the name it was asked for or by its soname, is not
looked for again. RPATH is inherited along the chain of who loaded whom, RUNPATH is not, and who has
a RUNPATH uses no RPATH at all. Files count, not sonames. A file for another machine is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit import search
from buildmatrix.audit.process import Loaded, Missing, Process, is_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.search import Files
    from buildmatrix.nouns import AuditPolicy, ElfFacts, Target


def processes(files: Files, own: Sequence[ElfFacts], policy: AuditPolicy) -> tuple[Process, ...]:
    """One of each program, then of each library that none of those loads, needed ones last."""
    made: list[Process] = []
    seen: set[str] = set()

    def add(facts: ElfFacts) -> None:
        made.append(_process(files, facts, policy))
        seen.update(one.file for one in made[-1].files)

    loadable = [facts for facts in own if facts.file in files.by_path]
    for facts in loadable:
        if is_program(facts):
            add(facts)
    needed = {name for facts in loadable for name in facts.needed}
    free = [f for f in loadable if not {f.soname, PurePosixPath(f.file).name} & needed]
    for facts in (*free, *loadable):
        if facts.file not in seen:
            add(facts)
    return tuple(made)


def _process(files: Files, root: ElfFacts, policy: AuditPolicy) -> Process:
    program = is_program(root)
    open_ended = not program and not root.rpath and not root.runpath and not files.tree.rooted
    loaded = [Loaded(root, root.file, None)]
    missing = _bring_along(files, loaded, 0, policy, open_ended=open_ended)
    return Process(root, program, tuple(loaded), tuple(missing), open_ended)


def opened(files: Files, process: Process, policy: AuditPolicy) -> Process:
    """A program's process once its files have opened every library that they name (dlopen).

    One that is opened is looked for as a need of the file that names it. A name with a slash is one
    against the folder in which the program is started, and is not followed.
    """
    loaded, missing = list(process.loaded), list(process.missing)
    unfound: list[Missing] = []
    for opener in loaded:  # grows while it is walked
        for name in opener.facts.linking.opens if opener.facts is not None else ():
            if "/" in name or any(one.answers_to(name) for one in loaded):
                continue
            looked_for = _find(files, name, opener, loaded[0], policy)
            if looked_for.path is not None:
                start = len(loaded)
                _add(files, loaded, looked_for.path, name, opener)
                missing += _bring_along(files, loaded, start, policy)
            elif name in files.by_name and name not in policy.provided:
                unfound.append(_missing(opener, name, looked_for))
    return replace(
        process,
        loaded=tuple(loaded),
        missing=tuple(missing),
        later=True,
        unfound=tuple(unfound),
    )


def _bring_along(
    files: Files,
    loaded: list[Loaded],
    start: int,
    policy: AuditPolicy,
    *,
    open_ended: bool = False,
) -> list[Missing]:
    """Adds what the objects from `start` on need to `loaded`; what is not found is returned."""
    missing: list[Missing] = []
    program = loaded[0] if loaded[0].facts is not None and is_program(loaded[0].facts) else None
    for number, asker in enumerate(loaded):  # grows while it is walked
        if asker.facts is None or number < start:
            continue
        for name in (*asker.facts.needed, *asker.facts.linking.filters):
            if any(one.answers_to(name) for one in loaded):
                continue
            looked_for = _find(files, name, asker, program, policy)
            path = looked_for.path
            if not looked_for.ended_at and path is None and open_ended and name in files.by_name:
                path = files.by_name[name][0]
            if path is not None:
                _add(files, loaded, path, name, asker)
            elif name in policy.provided and looked_for.goes_on(asker.facts):
                loaded.append(Loaded(None, "", asker, {name}))
            else:
                missing.append(_missing(asker, name, looked_for))
    return missing


def _missing(asker: Loaded, name: str, looked_for: _Search) -> Missing:
    assert asker.facts is not None
    chain = tuple(one.facts for one in asker.chain if one.facts is not None)[1:]
    return Missing(asker.facts, name, chain, looked_for.passed_over, looked_for.ended_at)


def _add(files: Files, loaded: list[Loaded], path: str, name: str, asker: Loaded) -> None:
    """One file is one object, by whatever path it is reached."""
    facts = files.open(path)
    for one in loaded:
        if one.facts is facts:
            one.names.add(name)
            return
    loaded.append(Loaded(facts, path, asker, {name}))


@dataclass(frozen=True, slots=True)
class _Search:
    """How the search for one name in the tree ended."""

    path: str | None = None
    passed_over: tuple[ElfFacts, ...] = ()
    ended_at: str = ""

    def goes_on(self, asker: ElfFacts) -> bool:
        """Whether the board's own folders are looked at next."""
        return not self.ended_at and "NODEFLIB" not in asker.linking.flags


def _find(
    files: Files, name: str, asker: Loaded, program: Loaded | None, policy: AuditPolicy
) -> _Search:
    """The path that the loader opens for `name`. A file for another machine is passed over; one
    that is no ELF file at all ends the search."""
    passed_over: dict[str, ElfFacts] = {}
    for path in _paths(files, name, asker, program, policy):
        facts = files.open(path)
        if facts is None:
            real = files.real(path)
            if real is not None and (real in files.refused or real.startswith(search.CIRCLE)):
                return _Search(ended_at=real.removeprefix(search.CIRCLE))
            continue
        if facts.machine == policy.target.machine and not facts.linking.soft_float_flag:
            return _Search(path)
        passed_over[facts.file] = facts
    return _Search(passed_over=tuple(passed_over.values()))


def _paths(
    files: Files, name: str, asker: Loaded, program: Loaded | None, policy: AuditPolicy
) -> Iterator[str]:
    target = policy.target
    if "/" in name:
        relative = not name.startswith(("/", "$ORIGIN", "${ORIGIN}"))
        yield from () if relative else search.expanded(name, asker.origin, target)
        return
    below = search.feature_folders(target)
    for folder in _folders(files, asker, program, target):
        yield from (f"{folder}{part}/{name}" for part in below)


def _folders(files: Files, asker: Loaded, program: Loaded | None, target: Target) -> Iterator[str]:
    """The folders in which the loader looks for what `asker` needs."""
    assert asker.facts is not None
    if not asker.facts.runpath:
        chain = list(asker.chain)
        above = [program] if program is not None and program not in chain else []
        for one in (*chain, *above):
            if one.facts is not None and not one.facts.runpath:
                yield from search.places(one.facts.rpath, one.origin, target)
    yield from search.places(asker.facts.runpath, asker.origin, target)
    if "NODEFLIB" not in asker.facts.linking.flags:
        yield from search.default_places(files.tree, target)
