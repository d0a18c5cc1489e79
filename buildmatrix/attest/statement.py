"""An in-toto statement with a SLSA provenance: every file by hash, and all that it was made from.

Sources: in-toto.io/Statement/v1, slsa.dev/provenance/v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.attest.parts import Handed, Origin

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"


def statement(handed: Handed, papers: Mapping[str, str]) -> dict[str, object]:
    """The statement of what is handed over; `papers` is path -> sha256 of what lies beside it."""
    parameters: dict[str, object] = {"cell": handed.cell, **handed.parameters}
    return {
        "_type": TYPE,
        "subject": [
            {"name": part.path, "digest": {"sha256": part.sha256}} for part in handed.parts
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"urn:buildmatrix:{handed.kind}:v1",
                "externalParameters": parameters,
                "internalParameters": {"compilerPackages": list(handed.compiler)},
                "resolvedDependencies": [_resource(one) for one in handed.origins],
            },
            "runDetails": {
                "builder": {
                    "id": "urn:buildmatrix:builder",
                    "version": {"buildmatrix": handed.version},
                },
                "metadata": {"invocationId": handed.key, "finishedOn": handed.made_at},
                "byproducts": [
                    {"name": name, "digest": {"sha256": sha256}}
                    for name, sha256 in sorted(papers.items())
                ],
            },
        },
    }


def _resource(origin: Origin) -> dict[str, object]:
    resource: dict[str, object] = {"name": origin.id}
    if origin.purl or origin.address:
        resource["uri"] = origin.purl or origin.address
    if origin.digest:
        resource["digest"] = dict(origin.digest)
    if origin.signature:
        resource["annotations"] = {"signature": origin.signature}
    return resource
