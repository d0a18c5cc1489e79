"""Papers of what is handed over: what is in it, what it was made from, and a check of both.

`parts` are the facts; `sbom` writes them as CycloneDX, `statement` as an in-toto statement with a
SLSA provenance; `checking` holds a folder against the two.
"""

from buildmatrix.attest.checking import check
from buildmatrix.attest.parts import SBOM, STATEMENT, Handed, Origin, Part, folder_of
from buildmatrix.attest.sbom import sbom
from buildmatrix.attest.statement import statement

__all__ = [
    "SBOM",
    "STATEMENT",
    "Handed",
    "Origin",
    "Part",
    "check",
    "folder_of",
    "sbom",
    "statement",
]
