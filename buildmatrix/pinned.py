"""Pinned sources as people write them: what they are by hash, and where they may come from."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from buildmatrix.schema import DISTINCT, Spec
from buildmatrix.selector import Selector

UNLOCKED = "unlocked"  # stands where a commit will

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="of the file, 64 hex digits")]
Sha1 = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ValueError("must be a path inside the folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]
FileName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9.+~_-]+$", description="its name in the archive")
]
Https = Annotated[
    str, Field(pattern=r"^https://[^\s]+$", description="where it is, from https:// on")
]

# git-check-ref-format(1) forbids more; what is no name of a tag is not found.
TagName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+/-]*$")]


class DebianAlternate(Spec):
    """A file in the pool folder of a Debian source package, from the mirror this machine uses:
    its source, or a binary package (.deb) that was built from it."""

    kind: Literal["debian"]
    package: Name = Field(description="the source package, whose pool folder has the file")
    file: FileName
    sha256: Sha256
    dsc: FileName | Literal[""] = Field(
        "", description="its signed list of files, for `inv sources --verify`"
    )


class PypiAlternate(Spec):
    """A file of a Python package, source or wheel, from the index that pip here uses."""

    kind: Literal["pypi"]
    package: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="as pip calls it")
    ]
    file: FileName
    sha256: Sha256


class ArchiveAlternate(Spec):
    """A tarball at a URL."""

    kind: Literal["archive"]
    url: Https
    sha256: Sha256


class GitAlternate(Spec):
    """A commit of a git repository. A branch without a commit is not locked: never fetched."""

    kind: Literal["git"]
    url: Https
    commit: Sha1 | None = Field(None, description="its full id, 40 hex digits")
    branch: str | None = Field(None, description="for people; alone it is never fetched")
    tag: TagName | Literal[""] = Field(
        "", description="the signed tag of that commit, for `inv sources --verify`"
    )


class FolderAlternate(Spec):
    """A folder of the project, relative to matrix.yaml, as it is when the project is read: edits
    and new files count, what git ignores does not. With `tree:` it is pinned.

    A recipe is somebody's: it cannot name any folder of the machine and have it packed.
    """

    kind: Literal["folder"]
    path: RelativePath = Field(description="relative to matrix.yaml")


Alternate = Annotated[
    DebianAlternate | PypiAlternate | ArchiveAlternate | GitAlternate | FolderAlternate,
    Field(discriminator="kind"),
]


class SourceSpec(Spec):
    """One pinned source; its alternates carry the same tree and are tried in order."""

    name: Name = Field(description="its place in the container: /src/NAME")
    when: Selector = Field({}, description="values of options with which it is used")
    tree: Sha1 | None = Field(None, description="git tree id of the unpacked source")
    alternates: Annotated[list[Alternate], Field(min_length=1), DISTINCT] = Field(
        description="where the same files may come from, tried in order"
    )


def identify(source: SourceSpec) -> str:
    """What a source is, whichever alternate brings it: its tree id, or its only alternate's hash.

    An unlocked branch has no identity yet; its name stands in, and the work is blocked.
    """
    if source.tree is not None:
        return source.tree
    alternate = source.alternates[0]
    match alternate.kind:
        case "debian" | "pypi" | "archive":
            return alternate.sha256
        case "git":
            return alternate.commit or f"{UNLOCKED}-{alternate.branch}"
        case "folder":
            return f"folder-{alternate.path}"
