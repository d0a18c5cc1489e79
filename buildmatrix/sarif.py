"""An audit as SARIF 2.1.0, the form in which code hosts take findings.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0 plus Errata 01; what
GitHub asks beyond it, from the rules GH1001 to GH1007 of Microsoft's SARIF validator.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from buildmatrix import __version__
from buildmatrix.audit import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.audit.rule import Rule

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "SRCROOT"
LEVELS = {"error": "error", "warning": "warning", "note": "note"}
MEMBER = re.compile(r"(?P<file>.+?\.a)\((?P<member>.+)\)")  # an object in a static library


def log(document: Mapping[str, Any], subject: Path, *, here: Path) -> dict[str, Any]:
    """The SARIF log of an audit's document.

    `subject` is the file or folder that was judged. Places are relative to `here` where it lies
    below that, as code hosts want them, else to the folder itself. Of a cell's bundle nobody but
    the store knows where it lies: `subject` is then the cell's id, and the places are the bundle's.
    """
    base, prefix = _base(subject, here, is_bundle="cell" in document)
    codes = {rule.code: number for number, rule in enumerate(RULES)}
    package = "" if "cell" in document else _package(here / subject)
    places = {f["file"]: _split(f["file"], package) for f in document["findings"]}
    names = dict.fromkeys(file for file, _ in places.values())
    files = {file: number for number, file in enumerate(names)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "originalUriBaseIds": {ROOT: base},
                "artifacts": [
                    {"location": _location(prefix + file), "roles": ["analysisTarget"]}
                    for file in files
                ],
                "results": [
                    _result(f, prefix, codes, files, places[f["file"]])
                    for f in document["findings"]
                ],
                "columnKind": "utf16CodeUnits",
                "properties": {"target": document["target"]},
            }
        ],
    }


def _base(subject: Path, here: Path, *, is_bundle: bool) -> tuple[dict[str, Any], str]:
    """What the places are relative to, and what stands before each."""
    if is_bundle:
        return {"description": {"text": f"the bundle of cell {subject}"}}, ""
    whole = (here / subject).resolve()
    folder = whole if whole.is_dir() else whole.parent
    if folder.is_relative_to(here.resolve()):
        below = folder.relative_to(here.resolve()).as_posix()
        return {"uri": f"{_uri(here.resolve())}/"}, "" if below == "." else f"{below}/"
    return {"uri": f"{_uri(folder)}/"}, ""


def _uri(path: Path) -> str:
    return f"file://{quote(os.fsencode(path))}".removesuffix("/")


def _location(path: str) -> dict[str, Any]:
    """A name of bytes that are no UTF-8 is written with their values, as URIs may."""
    return {"uri": quote(os.fsencode(path)), "uriBaseId": ROOT}


def _driver() -> dict[str, Any]:
    return {
        "name": "buildmatrix audit",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in RULES],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": _pascal(rule.meaning),
        "shortDescription": {"text": rule.meaning},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": f"How to mend it: {rule.hint}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _pascal(words: str) -> str:
    """
    >>> _pascal("The file is for another machine.")
    'TheFileIsForAnotherMachine'
    """
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", words))


def _result(
    finding: Mapping[str, str],
    prefix: str,
    codes: Mapping[str, int],
    files: Mapping[str, int],
    place: tuple[str, str],
) -> dict[str, Any]:
    file, member = place
    # A region must be there for GitHub (GH1003); a binary file has no lines, so it is the first.
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {**_location(prefix + file), "index": files[file]},
            "region": {"startLine": 1},
        }
    }
    if member:
        location["logicalLocations"] = [
            {"name": member, "fullyQualifiedName": finding["file"], "kind": "member"}
        ]
    same = "\0".join((finding["code"], finding["file"], finding["message"]))
    digest = hashlib.sha256(same.encode(errors="surrogateescape")).hexdigest()
    return {
        "ruleId": finding["code"],
        "ruleIndex": codes.get(finding["code"], -1),
        "level": LEVELS[finding["severity"]],
        "message": {"text": f"{finding['message']}. {finding['hint']}"},
        "locations": [location],
        "partialFingerprints": {"primaryLocationLineHash": f"{digest[:16]}:1"},
    }


def _package(path: Path) -> str:
    """The name of a wheel, Debian package or archive, whose files are places in it."""
    return path.name if path.is_file() and not path.name.endswith(".a") else ""


def _split(file: str, package: str) -> tuple[str, str]:
    """A file on disk, and what in it is meant; `package` is what was read as a tree.

    >>> _split("lib/libx.a(gemm.o)", ""), _split("lib/libx.so", "")
    (('lib/libx.a', 'gemm.o'), ('lib/libx.so', ''))
    >>> _split("lib/libx.so", "x.whl"), _split("main", "main")
    (('x.whl', 'lib/libx.so'), ('main', ''))
    """
    if package and file != package:
        return package, file
    match = MEMBER.fullmatch(file)
    return (match["file"], match["member"]) if match else (file, "")
