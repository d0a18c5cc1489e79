"""All that is fuzzed, by name."""

from __future__ import annotations

from tests.fuzz import binaries, boards, elsewhere, written

READERS = {
    reader.name: reader
    for room in (written, binaries, boards, elsewhere)
    for reader in room.READERS
}
