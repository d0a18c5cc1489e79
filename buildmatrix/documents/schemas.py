"""JSON Schemas of the documents, from their types."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from buildmatrix.documents import (
    boards,
    building,
    clearing,
    estimating,
    profiling,
    repeating,
    verdicts,
)

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: dict[str, Any] = {
    "cells": building.Cells,
    "plan": building.Plan,
    "why": building.Why,
    "build": building.Build,
    "get": building.Get,
    "audit": building.AuditDocument,
    "toolchains": building.Toolchains,
    "recipes": building.Offers,
    "models": building.Offers,
    "sources": building.Sources,
    "doctor": building.Checks,
    "gc": clearing.Gc,
    "deploy": boards.Deploy,
    "firmware": boards.Firmware,
    "device-up": boards.DeviceUp,
    "device-info": boards.DeviceFacts,
    "device-list": boards.DeviceList,
    "profile": profiling.Profile,
    "profile-difference": profiling.Difference,
    "estimate": estimating.Estimate,
    "estimate-order": estimating.Order,
    "report": verdicts.Report,
    "bench": verdicts.Report,
    "agree": verdicts.Agree,
    "compare": verdicts.Compare,
    "nightly": verdicts.Nightly,
    "history": verdicts.History,
    "bisect": verdicts.Bisect,
    "rerun": repeating.Rerun,  # a file in an archive
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of what a command prints with --json or writes, by the command's name."""
    made = TypeAdapter(DOCUMENTS[name]).json_schema()
    made["properties"].setdefault("version", {"const": 1})
    made["required"] = sorted({"version", *made.get("required", ())})
    return {"$schema": DRAFT, **made}


def texts() -> dict[str, str]:
    """File name -> schema, ready to write below docs/schemas/out."""
    return {f"{name}.schema.json": json.dumps(schema(name), indent=2) + "\n" for name in DOCUMENTS}
