"""Keys: equal material, equal key, in any order; differences in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.cachekey import changes, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_order_does_not_count(material: dict[str, object]) -> None:
    assert digest(material) == digest(dict(reversed(material.items())))


@given(JSON, JSON)
def test_changes_are_silent_only_for_equals(one: object, other: object) -> None:
    assert (changes(one, other) == ()) == (one == other)


def test_the_golden_key_stays() -> None:
    """Another digest for the same material would throw every user's store away."""
    material = {"format": 1, "options": {"neon": True}, "needs": {"image:x": "ab"}}
    assert digest(material) == ("f32aceebf0979a6d3c559cc2beabbe52b07e0d019f5210c6308356782103f62e")


def test_of_a_script_the_line_that_changed_is_told() -> None:
    """Its beginning and end, of 28 letters each, were told: of most changes the same twice."""
    old = {"script": "cp -a /src/dot/. .\nmake CC=gcc -O2\nmake install PREFIX=/out\n"}
    new = {"script": "cp -a /src/dot/. .\nmake CC=gcc -O3\nmake install PREFIX=/out\n"}
    assert changes(old, new) == ('script: "make CC=gcc -O2" -> "make CC=gcc -O3"',)


def test_words() -> None:
    old = {"options": {"neon": False}, "script": "make", "gone": 1}
    new = {"options": {"neon": True}, "script": "make " + "x" * 100, "added": [1]}
    assert changes(old, new) == (
        "added: added [1]",
        "gone: removed 1",
        "options.neon: false -> true",
        f'script: "make" -> "make {"x" * 22} … {"x" * 27}"',
    )
