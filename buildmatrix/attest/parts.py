"""The facts of what is handed over: its files, and what each of them came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SBOM = "sbom.cdx.json"
STATEMENT = "provenance.intoto.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One file that is handed over; `origin` is the id of what it came from, empty if unknown."""

    path: str
    sha256: str
    size: int
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Something that files came from, directly or through another origin."""

    id: str  # recipe:openblas@armv7hf-bookworm, source:openblas, package:libstdc++6:armhf
    kind: Literal["recipe", "source", "package", "model"]
    name: str
    version: str = ""
    address: str = ""  # where it is had from, in words or a URL, without credentials
    purl: str = ""  # package URL, where the kind has one
    digest: Mapping[str, str] | None = None  # as in-toto names algorithms: sha256, gitTree
    made_from: tuple[str, ...] = ()  # ids of other origins
    licences: tuple[str, ...] = ()  # files that came along, relative to the papers' folder
    signature: str = ""  # of a source, in words


@dataclass(frozen=True, slots=True)
class Handed:
    """A cell's files, and how they came about."""

    cell: str
    kind: str  # bundle, or products
    key: str  # the store's, which hashes all inputs
    version: str  # of buildmatrix, when it was made
    made_at: str  # ISO 8601, UTC
    parameters: Mapping[str, object]  # stack, options, toolchain
    compiler: tuple[str, ...]  # every package of the toolchain's image: name:arch=version
    parts: tuple[Part, ...]
    origins: tuple[Origin, ...]


def folder_of(tree: Path) -> Path:
    """Where the papers of a folder lie: beside it, so that the folder is what was audited."""
    return tree.with_name(f"{tree.name}.papers")
