"""Profiles that are kept in the state folder: one for each cell, that of the last count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from buildmatrix.documents.profiling import Profile
from buildmatrix.records import read_record, write_document

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, profile: Profile) -> None:
    """Keep a profile in the place of the one before."""
    write_document(path, {**profile})


def read(path: Path) -> Profile | None:
    """The profile of a file; None where none is kept, or one of another form than today's."""
    record = read_record(path)
    if not record:
        return None
    try:
        return TypeAdapter(Profile).validate_python(record)
    except ValidationError:
        return None
