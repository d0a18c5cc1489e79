"""Rows as a document, tables, Markdown and CSV. Pure: rows in, text out.

A grid is one table: one device, one model, one thread count, and either emulated or not. So a
time from an emulator cannot stand in one column, or one table, with a time from a board.
"""

from __future__ import annotations

from buildmatrix.report.accuracy import Judged, judged
from buildmatrix.report.document import csv, document
from buildmatrix.report.estimated import EstimatedTable, estimated
from buildmatrix.report.grid import Grid, Value, grids, study
from buildmatrix.report.layers import Bar, LayerTable, layer_tables
from buildmatrix.report.markdown import estimates_in_markdown, markdown
from buildmatrix.report.terminal import estimates, layers, table

__all__ = [
    "Bar",
    "EstimatedTable",
    "Grid",
    "Judged",
    "LayerTable",
    "Value",
    "csv",
    "document",
    "estimated",
    "estimates",
    "estimates_in_markdown",
    "grids",
    "judged",
    "layer_tables",
    "layers",
    "markdown",
    "study",
    "table",
]
