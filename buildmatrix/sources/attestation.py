"""Who published a file of a Python package, as its attestation proves (PEP 740).

pypi-attestations holds the signature, its certificate and its entry in the public log against the
trusted roots that its library sigstore brings, without a network. What that proves is which
publisher signed the file; that this is the project's own is the index's word, so it is told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from buildmatrix import extras
from buildmatrix.errors import BuildmatrixError, SourceUnavailable
from buildmatrix.sources.signature import Signature

if TYPE_CHECKING:
    from pypi_attestations import Attestation, Distribution, Publisher

    from buildmatrix.recipe import PypiAlternate

# Of the kinds of publishers that there are: GitHub, GitLab, Google, CircleCI.
TOLD = ("repository", "workflow", "workflow_filepath", "environment", "vcs_origin", "email")


def judge(alternate: PypiAlternate, provenance: str) -> Signature:
    """What the text of a provenance object says of the pinned file, held against its hash. Raises
    SourceUnavailable where it cannot be judged here."""
    try:
        extras.require("attestations")
    except BuildmatrixError as gap:
        return Signature("not checked", f"it is attested (PEP 740), and {gap.brief} ({gap.hint})")
    from pydantic import ValidationError
    from pypi_attestations import Distribution, Provenance

    try:
        told = Provenance.model_validate_json(provenance)
    except ValidationError:
        reason = "its provenance is none that pypi-attestations reads; a newer one may"
        return Signature("not checked", reason)
    held = Distribution(name=alternate.file, digest=alternate.sha256)
    signed = [(a, b.publisher) for b in told.attestation_bundles for a in b.attestations]
    faults = [fault for one, by in signed if (fault := _fault(one, by, held))]
    if faults:
        return Signature("bad", f"an attestation of it does not hold: {faults[0]}")
    if not signed:
        return Signature("none", "its provenance holds no attestation")
    publishers = dict.fromkeys(_named(by) for _, by in signed)
    return Signature("good", f"published by {' and by '.join(publishers)}, says its attestation")


def _fault(attestation: Attestation, publisher: Publisher, held: Distribution) -> str:
    """Why an attestation is not of this file by this publisher; empty when it is. Raises
    SourceUnavailable where sigstore finds no place for its trusted roots."""
    import sigstore
    from pypi_attestations import AttestationError

    logging.getLogger("sigstore").setLevel(logging.ERROR)  # it warns that it asks no network
    try:
        attestation.verify(publisher, held, offline=True)
    except AttestationError as error:
        return f"{error} (by the trusted roots of sigstore {sigstore.__version__})"
    except OSError as failure:
        reason = f"sigstore cannot lay its trusted roots into the cache folder: {failure}"
        raise SourceUnavailable(reason) from None
    except Exception as error:  # noqa: BLE001 - of what is no base64, no certificate, no entry
        return f"{type(error).__name__} {error} (read by sigstore {sigstore.__version__})"
    return ""


def _named(publisher: Publisher) -> str:
    """'GitHub, repository owner/name, workflow release.yml'."""
    fields = publisher.model_dump()
    words = [f"{name.replace('_', ' ')} {fields[name]}" for name in TOLD if fields.get(name)]
    return ", ".join([str(fields["kind"]), *words])
