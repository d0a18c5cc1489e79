"""The table of docs/boards.md, from the checks that it is a picture of.

python -m buildmatrix.device docs/boards.md      writes it anew
"""

from __future__ import annotations

from buildmatrix.audit.page import BLOCK, table
from buildmatrix.device.checks import CHECKS


def refreshed(page: str) -> str:
    """The page with the block between `<!-- checks: … -->` and `<!-- end -->` written anew."""
    heads = ("code", "severity", "what it means", "how to mend it")
    rows = table(heads, ((c.code, c.severity.value, c.meaning, c.hint) for c in CHECKS))
    return BLOCK.sub(lambda m: f"{m['begin']}{rows}\n{m['end']}", page)
