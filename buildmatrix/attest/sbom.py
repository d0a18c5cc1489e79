"""A bill of materials of what is handed over: CycloneDX 1.6, by the format's own library."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.attest.parts import Handed, Origin, Part

TYPES = {
    "recipe": ComponentType.LIBRARY,
    "source": ComponentType.LIBRARY,
    "package": ComponentType.LIBRARY,
    "model": ComponentType.MACHINE_LEARNING_MODEL,
}


def sbom(handed: Handed) -> str:
    """The bill as JSON: every file with its hash, what it came from, and what that was made of.

    The same files made of the same give the same bytes: its number is drawn from the key.
    """
    top = Component(
        name=handed.cell,
        type=ComponentType.APPLICATION,
        bom_ref=f"{handed.kind}:{handed.cell}",
        version=handed.key,
    )
    origins = {one.id: _origin(one) for one in handed.origins}
    files = {part.path: _file(part) for part in handed.parts}
    bom = Bom(
        components=[*origins.values(), *files.values()],
        serial_number=uuid5(NAMESPACE_URL, f"urn:buildmatrix:{handed.key}"),
    )
    bom.metadata.timestamp = datetime.fromisoformat(handed.made_at)
    bom.metadata.component = top
    bom.metadata.tools.components.add(
        Component(name="buildmatrix", version=handed.version, type=ComponentType.APPLICATION)
    )
    bom.register_dependency(top, files.values())
    for part in handed.parts:
        bom.register_dependency(files[part.path], _known([part.origin], origins))
    for one in handed.origins:
        bom.register_dependency(origins[one.id], _known(one.made_from, origins))
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _known(ids: Iterable[str], origins: dict[str, Component]) -> list[Component]:
    return [origins[one] for one in ids if one in origins]


def _file(part: Part) -> Component:
    return Component(
        name=part.path,
        type=ComponentType.FILE,
        bom_ref=f"file:{part.path}",
        hashes=[_hash(part.sha256)],
        properties=[Property(name="buildmatrix:size", value=str(part.size))],
    )


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)


def _origin(one: Origin) -> Component:
    """Licence texts lie beside the bill; it names them and does not guess what they are called."""
    digest = dict(one.digest or {})
    sha256 = digest.pop("sha256", "")
    return Component(
        name=one.name,
        version=one.version or None,
        type=TYPES[one.kind],
        bom_ref=one.id,
        purl=PackageURL.from_string(one.purl) if one.purl else None,
        hashes=[_hash(sha256)] if sha256 else None,
        evidence=ComponentEvidence(licenses=[DisjunctiveLicense(name=f) for f in one.licences])
        if one.licences
        else None,
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(one.address))
        ]
        if one.address.startswith("https://")
        else None,
        properties=[
            *(Property(name=f"buildmatrix:{k}", value=v) for k, v in sorted(digest.items())),
            *([Property(name="buildmatrix:from", value=one.address)] if one.address else []),
            *(
                [Property(name="buildmatrix:signature", value=one.signature)]
                if one.signature
                else []
            ),
        ],
    )
