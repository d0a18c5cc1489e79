"""The container engine, through the Docker SDK. Any engine that speaks its API will do."""

from __future__ import annotations

from buildmatrix.container.engine import MOST_PROCESSES, OWNER, STATE, DockerEngine

__all__ = ["MOST_PROCESSES", "OWNER", "STATE", "DockerEngine"]
