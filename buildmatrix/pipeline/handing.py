"""A cell's files handed over: out of the store, each held against its hash, as they were made."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from buildmatrix import scratch
from buildmatrix.build import EPOCH
from buildmatrix.errors import AuditError, InputError
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.stored import audited
from buildmatrix.works import BundleWork

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.documents.building import Get
    from buildmatrix.nouns import Entry
    from buildmatrix.pipeline.workshop import Workshop

Packing = Literal["w", "w:gz", "w:xz"]  # as tarfile names them


@dataclass(frozen=True, slots=True)
class Product:
    """What a cell comes to: the key that it is stored under, and which of the two it is."""

    cell: str
    kind: Literal["bundle", "products"]  # the latter of a recipe with nothing to run
    key: str


def product(workshop: Workshop) -> Product:
    """The first selected cell's files as they would be made now.

    Raises InputError when they are not stored, AuditError when the audit forbids to ship them.
    """
    actions = plan_all(workshop)
    one, audit = audited(workshop, actions)
    name = one.cell.id
    if audit.blocking:
        raise AuditError(
            f"{name} has findings that forbid shipping: {len(audit.blocking)}",
            details="\n".join(map(str, audit.blocking)),
            hint=f"inv audit {name}",
        )
    work = workshop.project.graph.audit_of(name)
    kind: Literal["bundle", "products"] = (
        "bundle" if isinstance(work.subject, BundleWork) else "products"
    )
    key = next(action.key for action in actions if action.id == work.needs[0])
    return Product(name, kind, key)


def hand_over(
    workshop: Workshop, *, out: Path | None, tar: Path | None, papers: bool = False
) -> Get:
    """Write a cell's files as a tree into `out`, as an archive to `tar`, or both; with `papers`
    what is in them and what they were made from, beside `out`.

    Raises InputError where `out` has something in it or `tar` is there already, and as `product`
    and the store do: then nothing is left of what was begun.
    """
    if out is not None and (out.is_symlink() or out.exists()) and not _is_empty(out):
        raise InputError("is there and not an empty folder", where=str(out), hint="name a new one")
    if tar is not None and (tar.is_symlink() or tar.exists()):
        raise InputError("is there already", where=str(tar), hint="remove it, or name another")
    packed = _mode(tar) if tar is not None else "w"
    taken = product(workshop)
    with scratch.folder(workshop.store.root / "tmp", "get-") as folder:
        entry = workshop.store.checkout(taken.key, folder / taken.cell)
        if tar is not None:
            _archive(folder / taken.cell, entry, tar, packed)
        if out is not None:
            _copy(workshop, taken.key, out)
            if papers:
                _write_papers(workshop, taken, entry, out)
    return _document(taken, entry, out, tar)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _copy(workshop: Workshop, key: str, out: Path) -> None:
    try:
        workshop.store.checkout(key, out)
    except BaseException:  # also a full disk, or Ctrl-C: half a tree looks like a whole one
        shutil.rmtree(out, ignore_errors=True)
        raise


def _write_papers(workshop: Workshop, taken: Product, entry: Entry, out: Path) -> None:
    from buildmatrix.pipeline.attesting import write_papers

    try:
        write_papers(workshop, workshop.project.cells[0], taken.kind, entry, out)
    except BaseException:  # files without the papers that were asked for are not what was asked for
        shutil.rmtree(out, ignore_errors=True)
        raise


def _archive(tree: Path, entry: Entry, tar: Path, packed: Packing) -> None:
    """The files below one folder with the cell's name, in their order, with no owner and one
    fixed time."""
    tar.parent.mkdir(parents=True, exist_ok=True)
    begun = tar.with_name(f".{tar.name}.part")
    try:
        with tarfile.open(begun, packed, format=tarfile.PAX_FORMAT) as archive:
            for record in entry.files:
                archive.add(tree / record.path, f"{tree.name}/{record.path}", filter=_plain)
        begun.replace(tar)
    finally:
        begun.unlink(missing_ok=True)


def _mode(tar: Path) -> Packing:
    """As the name says. Raises InputError where it says nothing that is known."""
    match tar.suffix:
        case ".gz" | ".tgz":
            return "w:gz"
        case ".xz" | ".txz":
            return "w:xz"
        case ".tar":
            return "w"
        case _:
            raise InputError(
                f"'{tar.name}' does not say how it is packed",
                hint="end it in .tar, .tar.gz or .tar.xz",
            )


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(EPOCH)
    return member


def _document(taken: Product, entry: Entry, out: Path | None, tar: Path | None) -> Get:
    return {
        "version": 1,
        "cell": taken.cell,
        "kind": taken.kind,
        "key": taken.key,
        "out": str(out) if out else "",
        "tar": str(tar) if tar else "",
        "files": [
            {
                "path": record.path,
                "sha256": record.sha256,
                "size": record.size,
                "executable": record.executable,
                "link": record.link,
            }
            for record in entry.files
        ],
    }
