"""Who answers for a source beside its pinned hash: the signature on what lists that hash.

Debian's maintainers sign a package's .dsc, which lists every file of it. gpgv holds it against the
keyrings of Debian's package debian-keyring; only what it says was signed is read. A tag of git's
has its signature behind its text, see `tag`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from buildmatrix.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.recipe import Alternate

State = Literal["good", "bad", "not checked", "none"]

# Newer debian-keyring calls the same files .pgp and keeps links of the old names. Who is in
# debian-nonupload may not sign a package.
KEYRINGS = (
    Path("/usr/share/keyrings/debian-keyring.gpg"),
    Path("/usr/share/keyrings/debian-maintainers.gpg"),
)
LARGEST = 1 << 20  # bytes of a .dsc; those of Debian have some thousand
STATUS = "[GNUPG:] "  # gnupg's doc/DETAILS
PRIMARY = 9  # field of VALIDSIG: the fingerprint of the primary key
NO_DSC = "the recipe names no .dsc"
NONE = {
    "archive": "the recipe names no signature of an archive by its URL",
    "git": "the recipe names no tag of the commit",
    "folder": "a folder of this project",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a source's signature; `key` is the fingerprint of the primary key."""

    state: State
    reason: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.reason}"


def without(alternate: Alternate) -> Signature:
    """Of a source that has no signed list, why not."""
    match alternate.kind:
        case "debian" if alternate.file.endswith(".deb"):
            reason = "a built package: Debian signs the index of all, which is not read here"
        case "debian":
            reason = NO_DSC
        case "pypi":
            reason = "the Python index offers no attestation"
        case kind:
            reason = NONE[kind]
    return Signature("none", reason)


def present(keyrings: Sequence[Path]) -> tuple[Path, ...]:
    """Those of the keyrings that are there. Raises SourceUnavailable where none is."""
    there = tuple(one for one in keyrings if one.is_file())
    if not there:
        raise SourceUnavailable(
            f"no keyring at {' or '.join(map(str, keyrings))}",
            hint="install Debian's package debian-keyring, or name others in BUILDMATRIX_KEYRINGS",
        )
    return there


def judge(dsc: Path, file: str, sha256: str, rings: Sequence[Path]) -> Signature:
    """Whether `dsc` was signed by a key of `rings` and lists `file` with that hash."""
    if dsc.stat().st_size > LARGEST:
        return Signature("bad", f"{dsc.stat().st_size} bytes are no .dsc")
    # What is put out is what was signed: text around it is not in there.
    found, signed = _by_gpgv(["--output", "-", str(dsc)], rings)
    if found.state == "good" and not _lists(signed, file, sha256):
        return Signature("bad", f"what is signed does not list {file} with its hash", found.key)
    return found


def detached(text: Path, signature: Path, rings: Sequence[Path]) -> Signature:
    """Whether `text` is what a key of `rings` signed, by a signature in a file of its own."""
    return _by_gpgv([str(signature), str(text)], rings)[0]


def _by_gpgv(words: Sequence[str], rings: Sequence[Path]) -> tuple[Signature, bytes]:
    """gpgv's judgement, and what it put out."""
    gpgv = shutil.which("gpgv")
    if gpgv is None:
        return Signature("not checked", "no gpgv on this machine (Debian: gpgv)"), b""
    ringed = [word for ring in rings for word in ("--keyring", str(ring.resolve()))]
    ended = subprocess.run(
        [gpgv, "--status-fd", "2", *ringed, *words],
        check=False,
        capture_output=True,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
    )
    said = ended.stderr.decode(errors="replace").splitlines()
    status = [line.removeprefix(STATUS).split() for line in said if line.startswith(STATUS)]
    return _judged({row[0]: row[1:] for row in status if row}), ended.stdout


def _judged(status: Mapping[str, Sequence[str]]) -> Signature:
    """By gpgv's words; its exit status is 0 also for a key that has expired."""
    if "BADSIG" in status:
        return Signature("bad", "the text was changed after it was signed")
    if "REVKEYSIG" in status:
        return Signature("bad", "the key that signed it was revoked", status["REVKEYSIG"][0])
    if "VALIDSIG" in status and len(status["VALIDSIG"]) > PRIMARY:
        key = status["VALIDSIG"][PRIMARY]
        if "EXPSIG" in status:
            return Signature("bad", "the signature had a last day, which is over", key)
        if "EXPKEYSIG" in status:
            since = "its key has expired, as the keyrings here have it"
            return Signature("good", f"signed by {key}; {since}", key)
        return Signature("good", f"signed by {key}", key)
    if "NO_PUBKEY" in status:
        key = status["NO_PUBKEY"][0]
        return Signature("not checked", f"its key {key} is in no keyring here", key)
    return Signature("bad", "it carries no signature that gpgv reads")


def _lists(signed: bytes, file: str, sha256: str) -> bool:
    from debian.deb822 import Dsc

    rows = Dsc(signed).get("Checksums-Sha256", [])
    return any(row["name"] == file and row["sha256"] == sha256 for row in rows)
