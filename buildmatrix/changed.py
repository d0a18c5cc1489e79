"""What made a work's key another one, for people: values, lines, what it follows from. Pure.

The plan says it in one line each; `inv why` says all of it, so nothing is cut here.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.cachekey import changes
from buildmatrix.nouns import Stage
from buildmatrix.recipe import FolderAlternate, SourceSpec
from buildmatrix.works import work_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.works import Graph, Work

Files = Callable[["Work", str], tuple[str, ...]]
DIGEST = 64  # hex digits of a sha256


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs, in words; of a text also its lines, '- ' or '+ ' before each, of a
    source its files."""

    words: str
    lines: tuple[str, ...] = ()


def changes_of(
    graph: Graph,
    old: Mapping[str, object],
    new: Mapping[str, object],
    files: Files = lambda _work, _former: (),
) -> tuple[Change, ...]:
    """Every difference between a work's stored material and its present one: its own first, then
    what it only follows from. Empty when the two are equal. `files` tells those of a source that
    are others than under its former id."""
    own = {name: (old.get(name), new.get(name)) for name in sorted({*old, *new} - {"needs"})}
    found = [change for name, (one, other) in own.items() for change in _differ(name, one, other)]
    before, after = old.get("needs"), new.get("needs")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found += _needs(graph, before, after, files)
    return tuple(found)


def in_short(graph: Graph, old: Mapping[str, object], new: Mapping[str, object]) -> str:
    """The same on one line, values cut in their middle; empty when the two are equal."""
    own = changes(*({n: v for n, v in one.items() if n != "needs"} for one in (old, new)))
    words = [f"changed: {'; '.join(own)}"] if own else []
    before, after = old.get("needs"), new.get("needs")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        words += [change.words for change in _needs(graph, before, after)]
    return "; ".join(words)


def _differ(path: str, old: object, new: object) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _differ(f"{path}.{name}", old.get(name), new.get(name))
    elif _is_text(old) or _is_text(new):
        yield Change(f"changed: {path}:", _lines(old, new))
    elif _is_digest(old) and _is_digest(new):
        yield Change(f"changed: {path}: its content is another")
    elif isinstance(old, list) and isinstance(new, list):
        yield Change(f"changed: {path}:", _lines(_rows(old), _rows(new)))
    else:
        yield Change(f"changed: {path}: {_value(old)} -> {_value(new)}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\n" in value


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == DIGEST and value.isalnum()


def _rows(values: list[object]) -> str:
    return "\n".join(map(_value, values))


def _value(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _lines(old: object, new: object) -> tuple[str, ...]:
    """The lines that are in one of the two texts alone, in their order."""
    before, after = ("" if text is None else str(text) for text in (old, new))
    rows = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))
    # Two rows name the files, which have no names here, and an @ begins where a place is told.
    changed = tuple(f"{row[0]} {row[1:]}" for row in rows[2:] if not row.startswith("@@"))
    return changed or ("  only the ends of lines differ",)


def _needs(
    graph: Graph,
    old: Mapping[str, object],
    new: Mapping[str, object],
    files: Files = lambda _work, _former: (),
) -> Iterator[Change]:
    gone = [name for name in old if name not in new]
    for name, key in new.items():
        work = graph.by_id[name]
        if name in old:
            if old[name] != key:
                yield Change(f"because its {work.stage} changed ({name})")
            continue
        if former := _former(work, gone):
            gone.remove(former)
            yield Change(_other_source(work, former), files(work, former))
        else:
            yield Change(f"now needs {name}")
    yield from (Change(f"no longer needs {name}") for name in gone)


def _former(work: Work, gone: list[str]) -> str:
    """The id under which a source of the same name was needed before; empty for none."""
    if not isinstance(work.subject, SourceSpec):
        return ""
    start = work_id(Stage.SOURCE, f"{work.subject.name}-")
    alike = (one for one in gone if one.startswith(start) and len(one) == len(work.id))
    return next(alike, "")


def _other_source(work: Work, former: str) -> str:
    assert isinstance(work.subject, SourceSpec)
    start = work_id(Stage.SOURCE, f"{work.subject.name}-")
    moved = f"{former.removeprefix(start)} -> {work.id.removeprefix(start)}"
    folder = work.subject.alternates[0]
    if isinstance(folder, FolderAlternate):
        return f"because the folder {folder.path} was edited (source {work.subject.name}: {moved})"
    return f"because its source changed ({work.subject.name}: {moved})"
