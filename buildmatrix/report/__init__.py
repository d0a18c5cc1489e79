"""Rows as a document, tables, Markdown and CSV. Pure: rows in, text out.

A grid is one table: one device, one model, one thread count, and either emulated or not. So a
time from an emulator cannot stand in one column, or one table, with a time from a board.
"""

from __future__ import annotations

from buildmatrix.report.document import csv, document
from buildmatrix.report.grid import Grid, Value, grids, study
from buildmatrix.report.markdown import markdown
from buildmatrix.report.terminal import table

__all__ = ["Grid", "Value", "csv", "document", "grids", "markdown", "study", "table"]
