"""docs/ as a site: Sphinx builds it without a warning, and a link that leads nowhere is one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from buildmatrix.cli import namespace

DOCS = Path(__file__).parents[1] / "docs"
ELSEWHERE = re.compile(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//[^"]*"')

pytestmark = pytest.mark.slow  # seconds of Sphinx


def built(pages: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What building a folder of pages as a site ended in, with every warning an error."""
    sphinx = [sys.executable, "-W", "ignore", "-m", "sphinx", "-W", "--keep-going", "-q"]
    return subprocess.run(
        [*sphinx, "-d", out / "doctrees", pages, out / "site"],
        cwd=DOCS.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_site_is_built_with_every_page_and_asks_no_other_server(tmp_path: Path) -> None:
    done = built(DOCS, tmp_path)
    assert done.stderr == ""
    site = tmp_path / "site"
    pages = {path.stem for path in DOCS.glob("*.md")}
    assert pages <= {path.stem for path in site.glob("*.html")}
    asked = [ELSEWHERE.findall(path.read_text()) for path in site.glob("*.html")]
    assert [one for one in asked if one] == []
    reference = (site / "reference.html").read_text()
    assert [one for one in namespace.task_names if f'<section id="{one}">' not in reference] == []


def test_a_link_that_leads_nowhere_and_a_page_that_no_table_names_end_it(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(DOCS / "conf.py", pages)
    (pages / "index.md").write_text("# Top\n\n[a](nowhere.md) and [b](index.md#no-such-heading)\n")
    (pages / "alone.md").write_text("# Alone\n")
    done = built(pages, tmp_path)
    assert done.returncode != 0
    assert "'nowhere.md' [myst.xref_missing]" in done.stderr
    assert "no-such-heading" in done.stderr
    assert "alone.md: WARNING: document isn't included in any toctree" in done.stderr
