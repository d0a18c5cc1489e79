"""The report as one HTML file that needs no network, and charts as PNG and SVG.

`Page` is what it says, `render` makes the file. Charts stand in it as pictures and, where scripts
run, are drawn again by Vega, which adds tooltips; Vega is in the file and makes most of its
900 kB.
"""

from __future__ import annotations

from buildmatrix.page.content import Agreed, BoardSection, Built, Facts, Page
from buildmatrix.page.draw import png, svg
from buildmatrix.page.render import render

__all__ = ["Agreed", "BoardSection", "Built", "Facts", "Page", "png", "render", "svg"]
