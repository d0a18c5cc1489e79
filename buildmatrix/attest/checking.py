"""A folder held against its papers: every file, the statement, and the bill of materials."""

from __future__ import annotations

import hashlib
import json
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from buildmatrix.attest.parts import SBOM, STATEMENT, folder_of
from buildmatrix.attest.statement import PREDICATE, TYPE
from buildmatrix.cachekey import file_digest
from buildmatrix.errors import AuditError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def check(tree: Path) -> dict[str, Any]:
    """The statement of a folder that is what its papers say.

    Raises InputError where there are none or they cannot be read, AuditError that names every
    file that is another, missing or not in them, and where statement and bill disagree.
    """
    papers = folder_of(tree)
    claimed = _read(papers / STATEMENT)
    try:
        if (claimed["_type"], claimed["predicateType"]) != (TYPE, PREDICATE):
            raise ValueError("it is a statement of another kind")
        files = _digests(claimed["subject"])
        beside = _digests(claimed["predicate"]["runDetails"]["byproducts"])
        claimed["predicate"]["buildDefinition"]["externalParameters"]["cell"]
    except (KeyError, TypeError, ValueError) as exc:
        raise _unreadable(papers / STATEMENT, exc) from exc
    faults = [*_differences(tree, files), *_differences(papers, beside, besides=STATEMENT)]
    if not faults:
        faults = [*_bill(papers / SBOM, files)]
    if faults:
        raise AuditError(
            "this is not what was handed over",
            where=str(tree),
            details="\n".join(sorted(faults)),
            hint="take it again with `inv get CELL --out DIR --papers`",
        )
    return claimed


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            "no papers are here",
            where=str(path),
            hint="`inv get CELL --out DIR --papers` writes files and papers",
        ) from None
    except (OSError, ValueError, RecursionError) as exc:
        raise _unreadable(path, exc) from exc
    if not isinstance(document, dict):
        raise _unreadable(path, ValueError("it is no object"))
    return document


def _unreadable(path: Path, fault: Exception) -> InputError:
    return InputError(
        f"no paper that can be read: {fault!r}", where=str(path), hint="write it anew"
    )


def _digests(rows: list[Mapping[str, Any]]) -> dict[str, str]:
    """Path -> sha256. Raises KeyError or TypeError for another shape, ValueError for a twin."""
    digests = {str(row["name"]): str(row["digest"]["sha256"]) for row in rows}
    if len(digests) < len(rows):
        raise ValueError("it names a file twice")
    return digests


def _differences(root: Path, wanted: Mapping[str, str], *, besides: str = "") -> Iterator[str]:
    there = {
        path.relative_to(root).as_posix(): path
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    there.pop(besides, None)
    yield from (f"{name}: missing" for name in wanted.keys() - there.keys())
    yield from (f"{name}: not in the statement" for name in there.keys() - wanted.keys())
    for name in wanted.keys() & there.keys():
        if _sha256(there[name]) != wanted[name]:
            yield f"{name}: another file than the statement says"


def _sha256(path: Path) -> str:
    """Of a file's bytes; of a link, of the text that it has."""
    if path.is_symlink():
        return link_digest(str(path.readlink()))
    return file_digest(path)


def link_digest(target: str) -> str:
    """What stands for the hash of a symlink: that of where it leads."""
    return hashlib.sha256(target.encode()).hexdigest()


def _bill(path: Path, files: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the bill: its form, by the format's own validator, and its files."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = path.read_text(errors="replace")
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        yield f"{path.name}: no valid CycloneDX 1.6: {shorten(str(fault), 300)}"
        return
    listed = {
        one["name"]: one["hashes"][0]["content"]
        for one in json.loads(text)["components"]
        if one["type"] == "file"
    }
    if listed != dict(files):
        yield f"{path.name}: lists other files than the statement"
