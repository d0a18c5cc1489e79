"""Vega-Lite specs as pictures, and Vega itself as a script; by vl-convert, without a network."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.plots import Spec

VARIABLE = re.compile(r"var\(--bm-[a-z]+,(#[0-9a-f]{6})\)")
SCALE = 2  # pixels of a PNG for each of the spec


def svg(spec: Spec) -> str:
    """A chart as an SVG file of its own, with the colours for white paper."""
    return inline_svg(_fixed(spec))


def png(spec: Spec) -> bytes:
    """A chart as a PNG file, at twice the size of the spec."""
    import vl_convert

    picture: bytes = vl_convert.vegalite_to_png(_fixed(spec), scale=SCALE, allowed_base_urls=[])
    return picture


def inline_svg(spec: Spec) -> str:
    """A chart as SVG for a page whose style sheet answers for the colours."""
    import vl_convert

    picture: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return picture


@cache
def vega() -> str:
    """The script that defines `vegaEmbed`: Vega, Vega-Lite and Vega-Embed, some 900 kB."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script


def _fixed(spec: Spec) -> Spec:
    """The spec with every colour of the style sheet replaced by its value on paper."""
    fixed: Spec = json.loads(VARIABLE.sub(r"\1", json.dumps(spec)))
    return fixed
