"""Layers that were read from a file, kept so that the next command need not read them again.

One record a model and reader, in the state folder. It counts only when every file that it was read
from is what it was; one that is damaged, or of another version of ours, counts as not there.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from buildmatrix.cachekey import digest
from buildmatrix.errors import InputError
from buildmatrix.imported import described, sha256
from buildmatrix.network import ImportedNetwork, QuantizedNetwork
from buildmatrix.records import read_record, write_record
from buildmatrix.usage import note_use

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.imported.spec import FileNetworkSpec

# The former has fields that the latter has not, and no layers.
KEPT: TypeAdapter[QuantizedNetwork | ImportedNetwork] = TypeAdapter(
    QuantizedNetwork | ImportedNetwork
)


def recalled(spec: FileNetworkSpec, folder: Path, *, reader: str, records: Path) -> ImportedNetwork:
    """As `described`: from the record below `records`, or read and put on record there. `reader`
    is a digest of all that turns a file into layers.

    Raises InputError for a file that cannot be read.
    """
    content = str(folder.resolve() / spec.file)
    written = spec.model_dump(mode="json", by_alias=True)
    path = records / f"{digest([written, content, reader])}.json"
    if (net := _on_record(path, folder)) is not None:
        note_use(path)
        return net
    net = described(spec, folder)
    # A state folder that cannot be written to costs the reading once more, and nothing else.
    with contextlib.suppress(OSError):
        write_record(path, net.model_dump(mode="json", exclude={"folder"}))
    return net


def _on_record(path: Path, folder: Path) -> ImportedNetwork | None:
    try:
        record = read_record(path)
        net = KEPT.validate_python({**record, "folder": folder})
        same = all(sha256(folder / name) == was for name, was in net.files.items())
    except (OSError, ValidationError, InputError):
        return None
    return net if same else None
