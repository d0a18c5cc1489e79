"""Papers beside what is handed over: out of the graph, the store and the toolchain's image."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from buildmatrix import attest, extras, images
from buildmatrix.attest.checking import link_digest
from buildmatrix.cachekey import file_digest
from buildmatrix.pinned import identify
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.signing import signature_of
from buildmatrix.recipe import DebianAlternate, GitAlternate, PypiAlternate, SourceSpec
from buildmatrix.records import write_document
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.sources import describe
from buildmatrix.sources.licences import licences
from buildmatrix.works import ModelWork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from buildmatrix.nouns import Cell, Entry
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.recipe import Alternate
    from buildmatrix.works import Work


def write_papers(
    workshop: Workshop, cell: Cell, kind: str, entry: Entry, tree: Path
) -> tuple[Path, ...]:
    """Write bill, statement and licence texts beside `tree`, in which a cell's files lie as they
    are stored in `entry`; returns what was written.

    A bundle's libraries out of the toolchain's image are asked for there. Raises BuildError where
    that cannot be, BuildmatrixError where the library of the format is not installed.
    """
    extras.require("sbom")
    folder = attest.folder_of(tree)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        handed = _handed(workshop, cell, kind, entry, folder)
        (folder / attest.SBOM).write_text(attest.sbom(handed))
        papers = sorted(path for path in folder.rglob("*") if path.is_file())
        hashes = {path.relative_to(folder).as_posix(): file_digest(path) for path in papers}
        write_document(folder / attest.STATEMENT, attest.statement(handed, hashes))
    except BaseException:  # half of the papers look like all of them
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return (*papers, folder / attest.STATEMENT)


def _handed(workshop: Workshop, cell: Cell, kind: str, entry: Entry, folder: Path) -> attest.Handed:
    graph = workshop.project.graph
    goal = graph.audit_of(cell.id)
    below = graph.below(goal.id)
    keys = {action.id: action.key for action in plan_all(workshop)}
    made = {
        record.sha256: work.id
        for work in reversed(below)
        if isinstance(work.subject, ResolvedBuild | ModelWork)
        for record in getattr(workshop.store.entry(keys[work.id]), "files", ())
        if record.sha256
    }
    parts = tuple(
        attest.Part(
            file.path,
            file.sha256 or link_digest(file.link),
            file.size,
            made.get(file.sha256, ""),
        )
        for file in entry.files
    )
    origins = [_origin(workshop, work, keys, folder) for work in below if _tells(work)]
    parts, packages = _packages(workshop, goal.toolchain, parts, folder)
    identity = workshop.identities[goal.toolchain]
    return attest.Handed(
        cell=cell.id,
        kind=kind,
        key=entry.key,
        version=str(entry.provenance["builder"]).removeprefix("buildmatrix "),
        made_at=str(entry.provenance["made_at"]),
        parameters={
            "stack": cell.stack,
            "options": dict(cell.options),
            "toolchain": goal.toolchain,
            "toolchainIdentity": identity.digest,
        },
        compiler=identity.packages,
        parts=parts,
        origins=(*origins, *packages),
    )


def _tells(work: Work) -> bool:
    """Whether files come from it: a recipe, a source or a model; an image is told by packages."""
    return isinstance(work.subject, ResolvedBuild | SourceSpec | ModelWork)


def _origin(workshop: Workshop, work: Work, keys: Mapping[str, str], folder: Path) -> attest.Origin:
    subject = work.subject
    if isinstance(subject, SourceSpec):
        return _source(workshop, work.id, subject, folder)
    made_from = tuple(one for one in work.needs if _tells(workshop.project.graph.by_id[one]))
    digest = {"buildmatrixKey": keys[work.id]}  # of the inputs, not of bytes
    if isinstance(subject, ResolvedBuild):
        return attest.Origin(
            work.id, "recipe", subject.recipe.name, digest=digest, made_from=made_from
        )
    assert isinstance(subject, ModelWork)
    return attest.Origin(work.id, "model", subject.network, digest=digest, made_from=made_from)


def _source(workshop: Workshop, id: str, source: SourceSpec, folder: Path) -> attest.Origin:
    identity = identify(source)
    if not workshop.sources.holds(identity):  # what was made of it came from a shared store
        workshop.sources.fetch(source, identity, base=workshop.project.root, subject=id)
    archive, alternate = workshop.sources.archive(source, identity)
    texts = licences(archive)
    paths = tuple(f"licences/{source.name}/{name}" for name in sorted(texts))
    for path, text in zip(paths, (texts[name] for name in sorted(texts)), strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)
    sha256 = getattr(alternate, "sha256", "")
    digest = {"sha256": sha256} if sha256 else {}
    if isinstance(alternate, GitAlternate) and alternate.commit:
        digest["gitCommit"] = alternate.commit
    if source.tree:
        digest["gitTree"] = source.tree
    name, version, purl = package_url(alternate)
    return attest.Origin(
        id=id,
        kind="source",
        name=name or source.name,
        version=version,
        address=describe(alternate),
        purl=purl,
        digest=digest,
        licences=paths,
        signature=str(signature_of(workshop, source)),
    )


def package_url(alternate: Alternate) -> tuple[str, str, str]:
    """Name, version and package URL of a source out of a registry, by its file's name."""
    match alternate:
        case PypiAlternate():
            name = alternate.package.lower().replace("_", "-")
            version = alternate.file.removesuffix(".tar.gz").removesuffix(".zip").split("-")[1]
            return name, version, f"pkg:pypi/{quote(name)}@{quote(version)}"
        case DebianAlternate():
            name, version, *rest = alternate.file.removesuffix(".deb").split("_")
            architecture = rest[0] if rest else "source"
            version = version.partition(".orig.")[0].removesuffix(".tar.xz").removesuffix(".tar.gz")
            address = f"pkg:deb/debian/{quote(name, safe='')}@{quote(version, safe='')}"
            return name, version, f"{address}?arch={architecture}"
        case _:
            return "", "", ""


def _packages(
    workshop: Workshop, toolchain: str, parts: tuple[attest.Part, ...], folder: Path
) -> tuple[tuple[attest.Part, ...], tuple[attest.Origin, ...]]:
    """The parts, with the image's packages as origins, and those, with their copyright files."""
    unknown = tuple(_library(part) for part in parts if not part.origin and _library(part))
    if not unknown:
        return parts, ()
    owned = images.owners(
        workshop.identities[toolchain].image,
        workshop.project.toolchains[toolchain].target.triple,
        unknown,
        folder / "licences" / "debian",
        engine=workshop.engine,
    )
    named = tuple(
        attest.Part(part.path, part.sha256, part.size, part.origin or _id(owned[_library(part)]))
        if _library(part) in owned
        else part
        for part in parts
    )
    return named, tuple(_package_origins(owned, folder))


def _library(part: attest.Part) -> str:
    """The soname of a library of a bundle; empty for other files."""
    return part.path.removeprefix("lib/") if part.path.startswith("lib/") else ""


def _id(package: images.Package) -> str:
    return f"package:{package.name}:{package.architecture}"


def _package_origins(owned: Mapping[str, images.Package], folder: Path) -> Iterator[attest.Origin]:
    for one in sorted(set(owned.values()), key=_id):
        text = f"licences/debian/{one.name}/copyright"
        version = quote(one.version, safe="")
        name = quote(one.name, safe="")
        yield attest.Origin(
            id=_id(one),
            kind="package",
            name=one.name,
            version=one.version,
            purl=f"pkg:deb/debian/{name}@{version}?arch={one.architecture}",
            licences=(text,) if (folder / text).is_file() else (),
        )
