"""toolchains.lock: what it lists, and what is not built by an image that has something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import BuildError, InputError
from buildmatrix.pipeline.locking import hold, used
from buildmatrix.shelf import LOCK
from buildmatrix.toolchain_lock import changes, lock, locked
from tests.unit import shelves

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("gcc:amd64=4:12.2.0-3", "libc6:armhf=2.36-9+deb12u10", "zlib1g-dev:armhf=1:1.2.13~x")


def test_what_is_locked_is_read_again_as_it_was(tmp_path: Path) -> None:
    assert locked(tmp_path) == {}
    lock(tmp_path, {"b": PACKAGES, "a": PACKAGES[:1]})
    assert locked(tmp_path) == {"a": PACKAGES[:1], "b": PACKAGES}
    text = (tmp_path / LOCK).read_text()
    assert text.startswith("# Written by `inv toolchains --lock`")
    assert "    - libc6:armhf=2.36-9+deb12u10\n" in text
    assert list(tmp_path.iterdir()) == [tmp_path / LOCK]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("version: 1\ntoolchains:\n  tc:\n    - gcc\n", "toolchains.lock:4:7"),
        ("version: 2\ntoolchains: {}\n", "toolchains.lock:1:1"),
        ("version: 1\ntoolchains:\n  tc: [a=1, a=1]\n", "toolchains.lock:3:13"),
        ("<<<<<<< HEAD\nversion: 1\n", "toolchains.lock:"),
    ],
)
def test_a_lock_that_somebody_wrote_wrong_has_its_place(
    tmp_path: Path, text: str, place: str
) -> None:
    (tmp_path / LOCK).write_text(text)
    with pytest.raises(InputError, match=place):
        locked(tmp_path)


def test_what_two_images_do_not_share() -> None:
    other = ("gcc:amd64=4:12.2.0-4", *PACKAGES[1:], "xz:amd64=1")
    assert changes(PACKAGES, PACKAGES) == []
    assert changes(PACKAGES, other) == [
        "gcc:amd64 4:12.2.0-3 -> 4:12.2.0-4",
        "xz:amd64 none -> 1",
    ]


def test_an_image_with_other_packages_builds_nothing(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    (name,) = used(shop)
    shelves.put(shop)
    hold(shop)
    packages = shop.identities[name].packages
    lock(tmp_path, {name: packages, "another": ("gcc:amd64=1",)})
    hold(shop)
    lock(tmp_path, {name: ("gcc=99",)})
    with pytest.raises(BuildError) as refused:
        hold(shop)
    assert f"the image of {name} has other packages than {LOCK} lists" in str(refused.value)
    assert "gcc 99 -> 12" in str(refused.value)
    assert f"--lock --only {name}" in str(refused.value)
