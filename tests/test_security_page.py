"""docs/security.md claims nothing that no test tries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_of_a_claim_exists(file: str, name: str) -> None:
    texts = [path.read_text() for path in (ROOT / "tests").rglob(file)]
    assert any(re.search(rf"^def {name}\(", text, re.M) for text in texts)


def test_every_claim_names_its_test() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!it |they |what |---)", line)]
    assert len(rows) > 20
    assert [row for row in rows if not re.search(r"\.py::test_\w+`", row)] == []
