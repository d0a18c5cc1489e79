"""What the name of a wheel says of the machine that it is for."""

from __future__ import annotations

import re

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from buildmatrix.nouns import version_tuple

# PEP 600 names the glibc, the tags before it a year. Source: PEP 513, 571, 599.
NAMED = re.compile(r"manylinux_(\d+)_(\d+)_")
BY_YEAR = {"manylinux1_": "2.5", "manylinux2010_": "2.12", "manylinux2014_": "2.17"}


def promised_libc(file_name: str) -> str:
    """The oldest glibc on which an installer takes the wheel: 2.27; empty where none is named.

    An installer takes a wheel when one of its tags fits, so the lowest counts.
    """
    try:
        tags = parse_wheel_filename(file_name)[3]
    except InvalidWheelFilename:
        return ""
    floors = [floor for tag in tags if (floor := _floor(tag.platform))]
    return min(floors, key=version_tuple, default="")


def _floor(platform: str) -> str:
    if match := NAMED.match(platform):
        return f"{match[1]}.{match[2]}"
    return next((floor for tag, floor in BY_YEAR.items() if platform.startswith(tag)), "")
