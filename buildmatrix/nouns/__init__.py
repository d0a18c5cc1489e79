"""The nouns of buildmatrix, and nothing that acts.

Frozen values that the stages hand to each other. What people write (YAML) has types of its own
in `matrix`, `recipe` and `toolchain`; these are the resolved ones.
"""

from __future__ import annotations

from buildmatrix.nouns.board import (
    ALL_CORES,
    BoardAddress,
    ClockPolicy,
    Cluster,
    DeviceInfo,
    Meter,
    ThermalZone,
)
from buildmatrix.nouns.cells import Action, Basis, Cell, Dropped, Options, Scalar, Stage, Verb
from buildmatrix.nouns.elf import (
    CompiledFor,
    ElfFacts,
    ElfTree,
    FeatureUse,
    Import,
    Linking,
    Multiplies,
    OddFile,
    Oddity,
    Symbols,
    Unasked,
    Unchosen,
    VersionNeed,
)
from buildmatrix.nouns.findings import AuditPolicy, Finding, Severity, WantedMultiplies
from buildmatrix.nouns.results import (
    INSTRUCTIONS,
    TIME,
    LayerFigures,
    Measurement,
    Metric,
    Right,
    Run,
    Status,
)
from buildmatrix.nouns.stored import Bundle, Entry, FileRecord
from buildmatrix.nouns.target import FPU_RANK, Target, is_bare, version_tuple

__all__ = [
    "ALL_CORES",
    "FPU_RANK",
    "is_bare",
    "version_tuple",
    "Target",
    "Basis",
    "Scalar",
    "Options",
    "Cell",
    "Dropped",
    "Stage",
    "Verb",
    "Action",
    "FileRecord",
    "Entry",
    "Bundle",
    "CompiledFor",
    "FeatureUse",
    "Multiplies",
    "VersionNeed",
    "Import",
    "Symbols",
    "Unasked",
    "Unchosen",
    "Linking",
    "ElfFacts",
    "Oddity",
    "OddFile",
    "ElfTree",
    "Severity",
    "Finding",
    "WantedMultiplies",
    "AuditPolicy",
    "BoardAddress",
    "ClockPolicy",
    "Cluster",
    "ThermalZone",
    "DeviceInfo",
    "Status",
    "Measurement",
    "Meter",
    "Run",
    "Right",
    "LayerFigures",
    "Metric",
    "TIME",
    "INSTRUCTIONS",
]
