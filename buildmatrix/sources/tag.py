"""Who signed the tag of a commit.

An annotated tag is an object of git's: lines that name the commit and the tag, a message, and
behind them the signature of all that (git-scm.com, gitformat-signature). Commit and name are held
against the recipe's, or the signed tag of one release would answer for another.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from buildmatrix.sources.signature import Signature, detached

if TYPE_CHECKING:
    from collections.abc import Sequence

OPENPGP = b"-----BEGIN PGP SIGNATURE-----"
OTHERS = {b"-----BEGIN SSH SIGNATURE-----": "SSH", b"-----BEGIN SIGNED MESSAGE-----": "X.509"}


def judge(tag: bytes, name: str, commit: str, rings: Sequence[Path]) -> Signature:
    """Whether the tag object `tag` is of that name and commit, and signed by a key of `rings`."""
    if not tag:
        return Signature("none", f"the tag {name} is a name alone, which nobody can sign")
    if fault := _fault(tag, name, commit):
        return Signature("bad", fault)
    for mark, kind in OTHERS.items():
        if b"\n" + mark in tag:
            return Signature(
                "not checked", f"the tag {name} is signed by {kind}, which is not read"
            )
    at = tag.rfind(b"\n" + OPENPGP) + 1
    if not at:
        return Signature("none", f"the tag {name} is not signed")
    with TemporaryDirectory(prefix="buildmatrix-tag-") as folder:
        text, signature = Path(folder, "text"), Path(folder, "signature")
        text.write_bytes(tag[:at])
        signature.write_bytes(tag[at:])
        return detached(text, signature, rings)


def _fault(tag: bytes, name: str, commit: str) -> str:
    """In what the first lines are not those of the tag that the recipe names; empty when they are.

    They are compared whole: a line that stands twice would be read in two ways.
    """
    lines = tag.split(b"\n", 3)[:3]
    wanted = [f"object {commit}", "type commit", f"tag {name}"]
    for line, one in zip(lines, wanted, strict=False):
        if line != one.encode():
            told = ascii(line[:100].decode(errors="replace"))[1:-1]
            return f"the tag says '{told}', the recipe '{one}'"
    return "" if len(lines) == len(wanted) else "the tag is cut off"
