"""The mirror is read from what apt uses; the addresses here are reserved example names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import InputError
from buildmatrix.upstreams import debian_mirror

if TYPE_CHECKING:
    from pathlib import Path

DEB822 = """\
# the archive
Types: deb deb-src
URIs: http://one.example/debian/
Suites: bookworm
  bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://one.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "mirror"),
    [
        ("deb http://one.example/debian bookworm main", "http://one.example/debian"),
        (
            "deb [arch=amd64 signed-by=/k.gpg] https://one.example/debian/ trixie main contrib # x",
            "https://one.example/debian",
        ),
        ("deb file:/srv/debian sid main", "file:/srv/debian"),
    ],
)
def test_one_line_list(apt: Path, line: str, mirror: str) -> None:
    (apt / "sources.list").write_text(f"# comment\n{line}\n")
    assert debian_mirror(apt) == mirror


def test_deb822(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert debian_mirror(apt) == "http://one.example/debian"


def test_a_vendor_that_publishes_for_debian_is_not_the_archive(apt: Path) -> None:
    (apt / "sources.list").write_text("deb https://vendor.example/prod bookworm main\n")
    listed = apt / "sources.list.d"
    (listed / "aaa.list").write_text("deb http://board.example/debian bookworm main\n")
    (listed / "debian.sources").write_text(DEB822)
    assert debian_mirror(apt) == "http://one.example/debian"
    (listed / "debian.sources").unlink()
    assert debian_mirror(apt) == "http://board.example/debian"


def test_a_list_of_mirrors(apt: Path) -> None:
    mirrors = apt / "mirrors.list"
    mirrors.write_text("# generated\nhttps://one.example/debian\nhttps://two.example/debian\n")
    source = DEB822.replace("http://one.example/debian/", f"mirror+file:{mirrors}")
    (apt / "sources.list.d" / "debian.sources").write_text(source)
    assert debian_mirror(apt) == "https://one.example/debian"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deb-src http://one.example/debian bookworm main",
        "# deb http://one.example/debian bookworm main",
        "deb http://one.example/ubuntu noble main",
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://one.example/debian-security bookworm-security main",
    ],
)
def test_no_mirror_says_what_to_add(apt: Path, text: str) -> None:
    (apt / "sources.list").write_text(text)
    with pytest.raises(InputError, match="no Debian mirror") as caught:
        debian_mirror(apt)
    assert "add a Debian source" in caught.value.hint


def test_a_disabled_stanza_and_a_disabled_file_do_not_count(apt: Path) -> None:
    disabled = DEB822.replace("Types: deb deb-src", "Enabled: no\nTypes: deb")
    (apt / "sources.list.d" / "debian.sources").write_text(disabled)
    (apt / "sources.list.d" / "debian.sources.off").write_text(DEB822)
    with pytest.raises(InputError):
        debian_mirror(apt)
