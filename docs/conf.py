"""The pages of this folder as a site, by Sphinx: `sphinx-build -W docs SITE`, of the extra `docs`.

`-W` makes an error of every warning: a link or a heading that leads nowhere, a page that no table
of contents names. What code knows is written into `reference` while the site is built.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

from buildmatrix import __version__
from buildmatrix.cli import namespace
from buildmatrix.cli import program as command_line

project = "buildmatrix"
release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"buildmatrix {release}"
highlight_language = "none"  # a block without a language is something that was printed
nitpicky = True
exclude_patterns = ["example"]  # a report, not a page: it is linked to as it is


def setup(app: Any) -> None:
    """What Sphinx calls when it starts."""
    app.connect("source-read", _fill)


def _fill(_app: Any, page: str, source: list[str]) -> None:
    """Add what code knows to a page; `source` is its text in a list, to be changed in place."""
    if page == "reference":
        source[0] += "".join(f"\n## {one}\n\n```\n{_help(one)}\n```\n" for one in _commands())


def _commands() -> list[str]:
    return sorted(namespace.task_names)


def _help(command: str) -> str:
    with redirect_stdout(io.StringIO()) as printed:
        command_line.run(["buildmatrix", "--help", command], exit=False)
    return printed.getvalue().strip()
