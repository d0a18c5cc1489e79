"""The licence texts that an archive brings: of a source, a wheel or a Debian package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.sources.layout import FAULTS, members

if TYPE_CHECKING:
    from pathlib import Path

# At the top of a source, in the metadata of a wheel, where Debian's policy puts it (12.5).
LICENCE = re.compile(
    r"(?:[^/]+/)?(?:LICEN[CS]E|COPYING|COPYRIGHT|NOTICE)[^/]*"
    r"|[^/]+\.dist-info/(?:licenses/(?:.+/)?)?(?:LICEN[CS]E|COPYING|COPYRIGHT|NOTICE)[^/]*"
    r"|(?:[^/]+/)?debian/copyright|usr/share/doc/[^/]+/copyright",
    re.IGNORECASE,
)
MOST, LARGEST = 50, 1 << 20


def licences(archive: Path) -> dict[str, bytes]:
    """Path in the archive -> text, of the files that say under what it may be used.

    At most 50, and none above a megabyte, which is no licence. Raises InputError for an archive
    that cannot be read.
    """
    texts: dict[str, bytes] = {}
    try:
        for member in members(archive):
            fits = member.stream is not None and member.size <= LARGEST and len(texts) < MOST
            if fits and LICENCE.fullmatch(member.name) and ".." not in member.name.split("/"):
                assert member.stream is not None
                texts[member.name] = member.stream.read(LARGEST)
    except FAULTS as exc:
        raise InputError(
            f"cannot be read: {exc}", where=str(archive), hint="fetch it anew"
        ) from exc
    return texts
