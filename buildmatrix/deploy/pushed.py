"""What a push did, and what the board said against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.agent import failure
from buildmatrix.deploy.listing import read_lines
from buildmatrix.errors import DeviceError
from buildmatrix.some import some

if TYPE_CHECKING:
    from buildmatrix.deploy.listing import Lines
    from buildmatrix.deploy.upload import Upload
    from buildmatrix.protocols import CommandResult

FEW = 5  # files that one sentence names


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: objects and bytes over the wire (compressed), cells whose link moved.

    `kept_bytes`, uncompressed, were there already, from pushes that had been cut.
    """

    sent_objects: int
    sent_bytes: int
    switched: tuple[str, ...]
    kept_bytes: int = 0


def received(result: CommandResult, upload: Upload) -> Lines:
    """What the board's `receive` said, by verb.

    Raises DeviceError naming every file that did not arrive whole; the others are kept there.
    """
    if result.status != 0:
        raise failure(result)
    lines = read_lines(result.stdout)
    if damaged := {name for (name,) in lines["bad"]}:
        files = [item.file for item in upload.objects if item.name in damaged]
        raise DeviceError(
            f"did not arrive whole: {some(files, FEW)}",
            details="the sha256 computed on the board differs",
            hint="run deploy again; what arrived whole is kept",
        )
    return lines


def gone(result: CommandResult) -> DeviceError:
    """What the trees link to is not there, though the board said so or got it."""
    cause = failure(result)
    return DeviceError(
        "content is gone from the board before it can be linked: a prune runs beside this deploy, "
        "or the board lacks something",
        details=cause.details,
        hint=cause.hint,
    )
