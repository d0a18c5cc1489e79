"""Toolchain images in the shared store: what each turned out to be, and the image itself.

What it is decides the keys of all that is made in it: a machine that knows that can take what
others made, and needs the image only for what it has to compile itself.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from buildmatrix import entries, loans, scratch
from buildmatrix.cachekey import digest, file_digest
from buildmatrix.nouns import Entry
from buildmatrix.records import read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from buildmatrix.protocols import Engine
    from buildmatrix.remote import Remote


def lend_record(remote: Remote, record: Mapping[str, object]) -> None:
    """Tell others what an image turned out to be."""
    key = _record_key(str(record["definition"]))
    remote.send(key, entries.written(Entry(key, (), dict(record), {})), {})


def borrow_record(remote: Remote, definition: str, path: Path) -> None:
    """What the image of a definition is by those who made it, written into a file; nothing where
    that is of the definition already, or where nobody knows."""
    if read_record(path).get("definition") == definition:
        return
    entry = loans.offered(remote, _record_key(definition))
    if entry is not None and entry.material.get("definition") == definition:
        write_record(path, dict(entry.material))


def lend_image(
    remote: Remote, identity: str, tag: str, engine: Engine, *, through: Path
) -> int | None:
    """Put an image there, by way of a file in the folder `through`; its size in bytes there, None
    where it is there already."""
    import zstandard  # a plan reads records, and packs nothing

    key = _image_key(identity)
    if not remote.writes or loans.offered(remote, key) is not None:
        return None
    with scratch.file(through, "image-") as packed:
        with (
            packed.open("wb") as stream,
            zstandard.ZstdCompressor(level=3, threads=-1).stream_writer(
                stream, closefd=False
            ) as packer,
        ):
            for piece in engine.save_image(tag):
                packer.write(piece)
        sha256 = file_digest(packed)
        loans.lend(remote, key, packed, sha256=sha256, material={"image": identity, "tag": tag})
        return packed.stat().st_size


def borrow_image(
    remote: Remote | None,
    identity: str,
    engine: Engine,
    *,
    through: Path,
    say: Callable[[str], None],
) -> bool:
    """Have the engine load an image of that identity; whether there was one."""
    entry = loans.offered(remote, _image_key(identity))
    if remote is None or entry is None:
        return False
    import zstandard

    through.mkdir(parents=True, exist_ok=True)
    say(f"taking the image from the shared store, {entry.files[0].size / 1e6:.0f} MB")
    with scratch.file(through, "image-") as packed:
        if not loans.borrow(remote, entry, packed):
            return False
        with packed.open("rb") as stream:
            engine.load_image(_unpacked(zstandard.ZstdDecompressor().read_to_iter(stream)))
    return True


def _unpacked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    return (piece for piece in pieces if piece)  # an empty one would end a request's body


def _record_key(definition: str) -> str:
    """Images of one definition differ by the machine that their programs run on."""
    return digest({"version": 1, "toolchain": definition, "machine": platform.machine()})


def _image_key(identity: str) -> str:
    return digest({"version": 1, "image": identity})
