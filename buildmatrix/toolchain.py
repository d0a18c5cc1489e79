"""Toolchains: a compiler in an image, for a target.

A toolchain is a folder `toolchains/<name>/` with `toolchain.yaml`, a Dockerfile template, a CMake
toolchain file template and a smoke test. Files that no Debian package has are pinned as a
recipe's sources are, and lie unpacked beside the Dockerfile. Its identity in cache keys is its
definition plus the exact list of installed package versions: rebuilding an unchanged image
invalidates nothing, a changed compiler invalidates everything, visibly.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from buildmatrix.cachekey import digest
from buildmatrix.nouns import Target, is_bare
from buildmatrix.pinned import SourceSpec, identify
from buildmatrix.schema import DISTINCT, Document, Spec, read
from buildmatrix.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Package = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*(:[a-z0-9]+)?$")]


class BaseSpec(Spec):
    """Where the base image comes from: a registry by digest, else debootstrap."""

    image: Annotated[str, Field(pattern=r"^[a-z0-9./_-]+$", description="its name there")]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", description="of its manifest")]


class TargetSpec(Spec):
    """What it compiles for; the audit holds every file against it."""

    triple: Annotated[
        str, Field(pattern=r"^[a-z0-9_-]+$", description="the compiler's: arm-linux-gnueabihf")
    ]
    machine: Literal["EM_ARM", "EM_AARCH64", "EM_X86_64"] = Field(
        description="as ELF headers say it"
    )
    march: Annotated[
        str, Field(pattern=r"^[a-z0-9.+-]+$", description="least architecture: armv7-a")
    ]
    fpu: Literal[
        "",
        "vfpv2",
        "vfpv3-d16",
        "vfpv3",
        "neon",
        "neon-vfpv4",
        "neon-fp-armv8",
        "crypto-neon-fp-armv8",
    ] = Field(description="floating-point unit of a 32-bit target; empty on 64 bits")
    float_abi: Literal["hard", "soft"] = Field(description="where a call passes its floats")
    libc_floor: Annotated[
        str,
        Field(
            pattern=r"^(\d+\.\d+)?$",
            description="oldest glibc that its programs may need; empty: there is no system",
        ),
    ]

    @model_validator(mode="after")
    def _whole(self) -> TargetSpec:
        if self.fpu and self.machine != "EM_ARM":
            raise ValueError(f"fpu is of 32-bit ARM alone: empty for {self.machine}")
        if not self.libc_floor and not is_bare(self.triple):
            raise ValueError("libc_floor is empty for a target without a system alone")
        return self


class ToolchainSpec(Spec):
    """toolchains/<name>/toolchain.yaml"""

    version: Literal[1] = Field(description="of this file's form: 1")
    name: str = Field(description="as its folder is called")
    summary: str = Field(description="what it is, in a line; listings show it")
    suite: Annotated[str, Field(pattern=r"^[a-z]+$", description="Debian's release: bookworm")]
    architecture: Annotated[
        str,
        Field(pattern=r"^[a-z0-9]+$", description="Debian's name for it; none: it runs no system"),
    ]
    base: BaseSpec
    target: TargetSpec
    flags: list[str] = Field(description="compiler flags that every stack gets")
    processor: str = Field(description="what CMake calls the target: CMAKE_SYSTEM_PROCESSOR")
    packages: Annotated[list[Package], Field(min_length=1), DISTINCT] = Field(
        description="Debian packages to install, the compiler's among them"
    )
    sources: Annotated[list[SourceSpec], DISTINCT] = Field(
        [], description="what is no Debian package: unpacked beside the Dockerfile, by name"
    )
    emulator: str = Field(description="runs a target program in the image; for the smoke test")
    # These may be another toolchain's, as ../debian/smoke.sh.
    dockerfile: str = Field("Dockerfile.j2", description="how its image is made")
    cmake: str = Field("toolchain.cmake.j2", description="CMake's toolchain file")
    smoke: str = Field("smoke.sh", description="compiles and runs a program when it is made")

    @field_validator("sources")
    @classmethod
    def _of_everybody(cls, sources: list[SourceSpec]) -> list[SourceSpec]:
        """An image is one thing, whatever cell asks for it, and is shared by its identity."""
        for source in sources:
            if source.when:
                raise ValueError(f"{source.name}: a toolchain has no options for 'when'")
            if any(one.kind in ("git", "folder") for one in source.alternates):
                raise ValueError(f"{source.name}: only a file with a hash: debian, pypi, archive")
        return sources


@dataclass(frozen=True)
class Toolchain:
    """A toolchain as read, with the text that its image is made from."""

    spec: ToolchainSpec
    folder: Path
    document: Document
    cmake_file: str
    smoke_files: tuple[tuple[str, str], ...]  # (name, sha256)

    @property
    def name(self) -> str:
        return self.spec.name

    @cached_property
    def target(self) -> Target:
        return Target(**self.spec.target.model_dump())

    @cached_property
    def definition(self) -> dict[str, object]:
        """Everything written that decides the image, the base excepted: it only carries packages,
        and those are listed by version in the identity."""
        written = self.spec.model_dump(exclude={"summary", "base", "sources"})
        # Where a source comes from does not decide what it is; without any, keys are as ever.
        taken = {one.name: identify(one) for one in self.spec.sources}
        return {
            **written,
            **({"sources": taken} if taken else {}),
            "dockerfile": self.dockerfile(base="BASE"),
            "cmake": self.cmake_file,
            "smoke": dict(self.smoke_files),
        }

    @cached_property
    def definition_digest(self) -> str:
        return digest(self.definition)

    def dockerfile(self, *, base: str) -> str:
        path = self.folder / self.spec.dockerfile
        context = {
            "base": base,
            "architecture": self.spec.architecture,
            "packages": sorted(self.spec.packages),
            "target": self.spec.target.model_dump(),
        }
        return _render(path, context)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a built image turned out to be."""

    toolchain: str
    definition: str  # digest
    packages: tuple[str, ...]  # name:architecture=version, sorted
    image: str  # engine's image id; not part of the digest

    @property
    def digest(self) -> str:
        return digest({"definition": self.definition, "packages": list(self.packages)})


def load_all(folder: Path, others: Mapping[str, Path] | None = None) -> Mapping[str, Toolchain]:
    """Every toolchain under `folder`, by name, and those in the folders of `others` (by name) that
    it has not; these are read when they are asked for. Raises InputError."""
    own = {path.parent.name: load(path.parent) for path in sorted(folder.glob("*/toolchain.yaml"))}
    return Shelf(own, others or {}, load)


def load(folder: Path) -> Toolchain:
    """The toolchain in a folder, with its texts filled in. Raises InputError."""
    document = read(folder / "toolchain.yaml")
    spec = document.build(ToolchainSpec)
    if spec.name != folder.name:
        raise document.fault(("name",), f"a toolchain is named as its folder, {folder.name}")
    cmake = folder / spec.cmake
    context = {
        "target": spec.target.model_dump(),
        "flags": " ".join(spec.flags),
        "processor": spec.processor,
    }
    smoke = (folder / spec.smoke).parent.glob("smoke*")
    return Toolchain(
        spec=spec,
        folder=folder,
        document=document,
        cmake_file=_render(cmake, context, for_cmake=True),
        smoke_files=tuple(
            sorted((p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in smoke)
        ),
    )


def _render(path: Path, context: Mapping[str, object], *, for_cmake: bool = False) -> str:
    """A template filled in; Jinja2 is imported for it, and not for every audit."""
    from buildmatrix import template  # noqa: PLC0415

    return template.render(path, context, quote=template.cmake_quote if for_cmake else shlex.quote)
