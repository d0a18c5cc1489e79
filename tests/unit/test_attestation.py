"""Who published a file of the Python index: a real file with its real attestation, and others.

`attested/` holds both as they stand in pypi-attestations' own tests (Apache-2.0).
"""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import extras
from buildmatrix.errors import SourceUnavailable
from buildmatrix.pinned import identify
from buildmatrix.pipeline.signing import signature_of
from buildmatrix.recipe import PypiAlternate, SourceSpec
from buildmatrix.sources import pypi
from buildmatrix.sources.attestation import judge
from tests.serving import serving
from tests.unit import shelves

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTESTED = Path(__file__).parent / "attested"
FILE = "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl"
PACKAGE = "circleci-sign-publish-example"
PROVENANCE = (ATTESTED / f"{FILE}.provenance").read_text()
SHA256 = hashlib.sha256((ATTESTED / FILE).read_bytes()).hexdigest()
PUBLISHER = "CircleCI, vcs origin github.com/CircleCI-Public/sign-and-publish-examples"
PINNED = PypiAlternate(kind="pypi", package=PACKAGE, file=FILE, sha256=SHA256)


def of(provenance: str, *, sha256: str = SHA256) -> tuple[str, str]:
    found = judge(PINNED.model_copy(update={"sha256": sha256}), provenance)
    return found.state, found.reason


@pytest.mark.slow
def test_an_attestation_names_who_published_the_pinned_file() -> None:
    assert of(PROVENANCE) == ("good", f"published by {PUBLISHER}, says its attestation")


def test_an_attestation_of_another_file_is_bad() -> None:
    state, reason = of(PROVENANCE, sha256="0" * 64)
    assert (state, "does not hold" in reason) == ("bad", True)


def test_another_publisher_than_the_certificate_has_is_bad() -> None:
    other = PROVENANCE.replace("CircleCI-Public/sign", "somebody/sign")
    assert other != PROVENANCE
    assert of(other)[0] == "bad"


def test_a_signature_that_was_changed_is_bad() -> None:
    told = json.loads(PROVENANCE)
    envelope = told["attestation_bundles"][0]["attestations"][0]["envelope"]
    first = envelope["signature"][:10]
    envelope["signature"] = envelope["signature"].replace(first, first[::-1])
    assert of(json.dumps(told))[0] == "bad"


def test_an_attestation_that_sigstore_stumbles_over_is_bad() -> None:
    """Of a checkpoint whose signature is no base64 it raises what base64 raises."""
    told = json.loads(PROVENANCE)
    bundle = told["attestation_bundles"][0]["attestations"][0]["verification_material"]
    proof = bundle["transparency_entries"][0]["inclusionProof"]["checkpoint"]
    proof["envelope"] = proof["envelope"].rstrip()[:-1] + "\n"
    state, reason = of(json.dumps(told))
    assert state == "bad"
    assert "an attestation of it does not hold" in reason


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', "<html>"])
def test_a_provenance_that_is_none_is_not_checked(text: str) -> None:
    assert of(text)[0] == "not checked"


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _module: None)
    state, reason = of(PROVENANCE)
    assert state == "not checked"
    assert reason.startswith("it is attested (PEP 740), and attestations of the Python index need")
    assert "pip install 'buildmatrix[attestations]'" in reason


def test_without_a_place_for_trusted_roots_it_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(SourceUnavailable, match="sigstore cannot lay its trusted roots"):
        of(PROVENANCE)


@pytest.mark.parametrize("offered", ["json", "html", "none"])
def test_the_attestation_is_asked_of_the_index(tmp_path: Path, index: str, offered: str) -> None:
    shop = shelves.workshop(tmp_path)
    shutil.copytree(ATTESTED, tmp_path / "archives")
    shop.archives, shop.index = tmp_path / "archives", lambda: f"{index}/{offered}"
    source = SourceSpec(name="example", alternates=[PINNED])
    shop.sources.fetch(source, identify(source), base=tmp_path, subject="source")
    assert signature_of(shop, source).state == ("none" if offered == "none" else "good")


class Index(http.server.BaseHTTPRequestHandler):
    """The page of one package as three kinds of indexes have it, and the file's provenance."""

    def do_GET(self) -> None:
        kind, text = "application/vnd.pypi.integrity.v1+json", PROVENANCE
        if self.path.startswith("/json/"):
            row = {"filename": FILE, "url": f"/{FILE}", "provenance": "../../provenance"}
            kind, text = pypi.JSON, json.dumps({"files": [row]})
        elif self.path.startswith(("/html/", "/none/")):
            told = 'data-provenance="/provenance"' if self.path.startswith("/html/") else ""
            kind, text = "text/html", f'<a href="/{FILE}" {told}>{FILE}</a>'
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_words: object) -> None:
        """Nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    with serving(Index) as host:
        yield f"http://{host}"
