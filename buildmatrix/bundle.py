"""What goes to the board for one cell: the runtime closure, laid out with a manifest of hashes.

The runner finds its libraries by the DT_RPATH `$ORIGIN/../lib`, which holds for the libraries'
own needs too (DT_RUNPATH would not). So the board installs nothing and no file is rewritten.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

from buildmatrix import cachekey
from buildmatrix.errors import AuditError, InputError
from buildmatrix.nouns import Bundle, FileRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.nouns import ElfFacts

MANIFEST = "manifest.json"
VERSION = 1
SONAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
INSIDE = re.compile(r"(?!/)(?!(?:.*/)?\.\.?(?:/|$))[^\0]+")  # a relative path without . and ..


def closure(
    roots: Sequence[ElfFacts],
    available: Mapping[str, ElfFacts],
    *,
    provided: Collection[str] = (),
) -> tuple[str, ...]:
    """Sonames needed by `roots`, directly or not, that the board does not provide; sorted.

    `available` is by soname. Raises AuditError that names what is missing and who needs it.
    What a program opens by name at run time (dlopen) is not seen.
    """
    found, missing = reach(roots, available, provided=provided)
    if missing:
        raise AuditError(
            "libraries are missing from the bundle",
            details="\n".join(f"{name}: needed by {', '.join(missing[name])}" for name in missing),
            hint="add the recipe that builds them as a run dependency, or link them statically",
        )
    return found


def reach(
    roots: Sequence[ElfFacts],
    available: Mapping[str, ElfFacts],
    *,
    provided: Collection[str] = (),
) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """Sonames reached from `roots`, and the missing ones with who needs them; both sorted."""
    found: set[str] = set()
    missing: dict[str, set[str]] = {}
    waiting = list(roots)
    while waiting:
        facts = waiting.pop()
        for soname in facts.needed:
            if soname in provided or soname in found:
                continue
            if soname in available:
                found.add(soname)
                waiting.append(available[soname])
            else:
                missing.setdefault(soname, set()).add(facts.file)
    lacking = {soname: tuple(sorted(missing[soname])) for soname in sorted(missing)}
    return tuple(sorted(found)), lacking


def assemble(
    destination: Path,
    *,
    cell: str,
    runner: Path,
    libraries: Mapping[str, Path],
    model: Path,
    material: Mapping[str, object],
) -> Bundle:
    """Lay out bin/runner, lib/SONAME and model/* in the empty folder `destination`.

    `libraries` is by soname, `model` a folder. Links are followed, the bundle has none. The same
    inputs give the same digest, so `material` may hold no times and no paths of this machine.
    Raises InputError for a name that leaves the bundle and for a source that is no file.
    """
    if destination.exists() and any(destination.iterdir()):
        raise InputError("a bundle needs an empty folder", where=str(destination), hint="remove it")
    records = [_place(runner, destination, "bin/runner", executable=True)]
    for soname, source in sorted(libraries.items()):
        if not SONAME.fullmatch(soname):
            raise InputError(
                f"'{soname}' is no soname that a bundle can hold",
                where=str(source),
                hint="use letters, digits and _ . + -",
            )
        records.append(_place(source, destination, f"lib/{soname}"))
    for source, path in _model_files(model):
        records.append(_place(source, destination, f"model/{path}"))
    return _write_manifest(destination, cell, records, material)


def provenance(
    parameters: Mapping[str, object], *, built_from: Mapping[str, str], builder: str
) -> dict[str, object]:
    """Material in the shape of a SLSA provenance v1 predicate (slsa.dev/spec/v1.0/provenance).

    `built_from` is name -> cache key. A key is a hash of inputs, not of bytes, so it does not
    call itself sha256. The predicate's subjects are the files of the manifest around it.
    """
    return {
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:buildmatrix:bundle:v1",
                "externalParameters": dict(parameters),
                "resolvedDependencies": [
                    {"name": name, "digest": {"buildmatrixKey": key}}
                    for name, key in sorted(built_from.items())
                ],
            },
            "runDetails": {"builder": {"id": builder}},
        },
    }


def load(root: Path) -> Bundle:
    """The bundle that lies in `root`, as its manifest says. Raises InputError."""
    try:
        content = (root / MANIFEST).read_bytes()
        document: dict[str, Any] = json.loads(content)
        if document["version"] != VERSION:
            raise InputError(
                f"the bundle's format is {document['version']}, this program knows {VERSION}",
                where=str(root / MANIFEST),
                hint="update buildmatrix, or build the cell again",
            )
        records = [FileRecord(**row) for row in document["files"]]
        _check_paths([record.path for record in records])
        return _bundle(document["cell"], records, content)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InputError(
            f"no bundle here: {exc}", where=str(root), hint="build the cell again"
        ) from exc


def verify(root: Path, bundle: Bundle) -> None:
    """Hash every file again. Raises AuditError that names each one changed, missing or extra."""
    faults = sorted(_differences(root, bundle))
    if faults:
        raise AuditError(
            f"the bundle of {bundle.cell} is not what was packed",
            where=str(root),
            details="\n".join(faults),
            hint="build the cell again",
        )


def _check_paths(paths: Sequence[str]) -> None:
    for path in paths:
        if not INSIDE.fullmatch(path) or path == MANIFEST:
            raise ValueError(f"its manifest may not list '{path}'")
    if len(set(paths)) < len(paths):
        raise ValueError("its manifest lists a file twice")


def _differences(root: Path, bundle: Bundle) -> Iterator[str]:
    expected = {record.path: record for record in bundle.files}
    if expected[MANIFEST].sha256 != bundle.digest:
        yield f"{MANIFEST}: is not the one that gave the digest"
    there = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if not _is_folder(p)}
    yield from (f"{path}: missing" for path in expected.keys() - there.keys())
    yield from (f"{path}: not in the manifest" for path in there.keys() - expected.keys())
    for path in expected.keys() & there.keys():
        if there[path].is_symlink():
            yield f"{path}: a link where a file was"
        elif _record(there[path], path) != expected[path]:
            yield f"{path}: changed"


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _model_files(model: Path) -> Iterator[tuple[Path, str]]:
    """Every file of the model's folder with its path in it; a link that leads out is refused."""
    files = [path for path in sorted(model.rglob("*")) if not _is_folder(path)]
    if not files:
        raise InputError("a model folder with no file", where=str(model), hint="export the model")
    for path in files:
        if path.is_file() and not path.resolve().is_relative_to(model.resolve()):
            raise InputError(
                "a link that leads out of the model's folder",
                where=str(path),
                hint="put the file itself there",
            )
        yield path, path.relative_to(model).as_posix()


def _place(source: Path, root: Path, path: str, *, executable: bool = False) -> FileRecord:
    if not source.is_file():
        raise InputError(f"no file to put at {path}", where=str(source), hint="build it first")
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if executable else 0o644)
    return _record(target, path)


def _record(file: Path, path: str) -> FileRecord:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    status = file.stat()
    return FileRecord(path, digest, status.st_size, executable=bool(status.st_mode & 0o100))


def _write_manifest(
    root: Path, cell: str, records: Iterable[FileRecord], material: Mapping[str, object]
) -> Bundle:
    ordered = sorted(records, key=lambda record: record.path)
    rows = [
        {"path": r.path, "sha256": r.sha256, "size": r.size, "executable": r.executable}
        for r in ordered
    ]
    content = cachekey.canonical(
        {"version": VERSION, "cell": cell, "files": rows, "material": dict(material)}
    )
    (root / MANIFEST).write_bytes(content)
    (root / MANIFEST).chmod(0o644)
    return _bundle(cell, ordered, content)


def _bundle(cell: str, records: Iterable[FileRecord], manifest: bytes) -> Bundle:
    """A manifest cannot list itself: its own record is added from its bytes."""
    digest = hashlib.sha256(manifest).hexdigest()
    every = [*records, FileRecord(MANIFEST, digest, len(manifest))]
    return Bundle(cell, digest, tuple(sorted(every, key=lambda record: record.path)))
