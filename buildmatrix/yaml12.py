"""YAML 1.2's core, read strictly: the nodes of a text, with their places.

Plain scalars are those of YAML 1.2 (`yes` and `1e3` are text), and there are no anchors. libyaml
reads what is written well: it takes a twelfth of the time of PyYAML's own parser, which says more
about what is not, and decides where the two differ (a tab after a value).
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

if yaml.__with_libyaml__:
    from yaml._yaml import CParser

MOST = 50_000  # values and keys in one text; PyYAML takes some 100 us of CPU for each


class _Composer(Composer):
    """Nodes out of a parser's events: no anchors, and no more than anybody writes."""

    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.nodes += 1
        event = self.peek_event()  # type: ignore[attr-defined]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                "anchors and aliases are not read here; write the value out",
                event.start_mark,
            )
        if self.nodes > MOST:
            brief = f"more than {MOST:,} values are not read from one file"
            raise yaml.constructor.ConstructorError(None, None, brief, event.start_mark)
        return super().compose_node(parent, index)


class _Scalars(Resolver):
    """YAML 1.2's core scalars in place of YAML 1.1's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


class _WordyLoader(_Composer, _Scalars, yaml.SafeLoader):
    """PyYAML's own parser: its faults say more, and it takes twelve times as long."""


if yaml.__with_libyaml__:

    class _FastLoader(_Composer, CParser, _Scalars):
        """libyaml's parser below PyYAML's composer."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            Resolver.__init__(self)


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
        "-+.0123456789",
    ),
    ("null", r"null|~|", "n~"),
):
    _Scalars.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), [*_first, ""]
    )


def compose(text: str) -> yaml.Node | None:
    """The root node of a text. Raises yaml.YAMLError in the words of PyYAML's own parser."""
    if yaml.__with_libyaml__:
        with contextlib.suppress(yaml.YAMLError):
            return _root(_FastLoader(text))
    return _root(_WordyLoader(text))


def _root(loader: Any) -> yaml.Node | None:
    try:
        root: yaml.Node | None = loader.get_single_node()
        return root
    finally:
        loader.dispose()
