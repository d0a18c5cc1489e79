"""Rows as a document, tables, Markdown and CSV. Pure: rows in, text out.

A grid is one table: one device, one model, one thread count, and either emulated or not. So a
time from an emulator cannot stand in one column, or one table, with a time from a board.
"""

from __future__ import annotations

from buildmatrix.report.accuracy import Judged, judged
from buildmatrix.report.document import csv, document
from buildmatrix.report.grid import Grid, Value, grids, study
from buildmatrix.report.layers import Bar, LayerTable, layer_tables
from buildmatrix.report.markdown import markdown
from buildmatrix.report.terminal import layers, table

__all__ = [
    "Bar",
    "Grid",
    "Judged",
    "LayerTable",
    "Value",
    "csv",
    "document",
    "grids",
    "judged",
    "layer_tables",
    "layers",
    "markdown",
    "study",
    "table",
]
