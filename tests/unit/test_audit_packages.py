"""`inv audit` of a wheel, a Debian package or an archive: read as the tree that it holds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from buildmatrix.errors import InputError
from buildmatrix.pipeline.auditing import audit_path
from buildmatrix.sources import layout, wheel
from tests import elf_factory as factory
from tests.elf_factory import make

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NEW = make(
    machine="EM_AARCH64",
    soname="libx.so",
    needed=["libc.so.6"],
    versions={"libc.so.6": ["GLIBC_2.34"]},
)
NAME = "x-1.0-cp311-cp311-manylinux_2_27_aarch64.whl"


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(files: Mapping[str, bytes | str], mode: str = "w:xz") -> bytes:
    """A tar; a text is a symlink's target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def deb(path: Path, data: bytes, kind: str = "xz") -> Path:
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"", f"data.tar.{kind}": data}
    body = b"".join(factory.member(name, content) for name, content in members.items())
    path.write_bytes(b"!<arch>\n" + body)
    return path


def shown(path: Path) -> list[str]:
    return [f"{f['code']} {f['file']}: {f['message']}" for f in audit_path(path)["findings"]]


def test_a_wheel_is_held_to_the_glibc_of_its_own_tag(tmp_path: Path) -> None:
    """LiteRT 2.3's aarch64 wheel says 2.27 and needs 2.34."""
    path = zipped(tmp_path / NAME, {"x/libx.so": NEW, "x/__init__.py": b"import os"})
    assert shown(path) == ["BM135 x/libx.so: needs GLIBC_2.34, the wheel's tag says glibc 2.27"]
    honest = zipped(tmp_path / NAME.replace("2_27", "2_34"), {"x/libx.so": NEW})
    assert shown(honest) == []


@pytest.mark.parametrize(
    ("tags", "floor"),
    [
        ("manylinux_2_27_aarch64.manylinux_2_28_aarch64", "2.27"),
        ("manylinux_2_17_aarch64.manylinux2014_aarch64", "2.17"),
        ("manylinux2014_armv7l", "2.17"),
        ("manylinux2010_x86_64", "2.12"),
        ("linux_armv7l", ""),
        ("musllinux_1_2_aarch64", ""),
    ],
)
def test_the_floor_of_a_tag(tags: str, floor: str) -> None:
    assert wheel.promised_libc(f"x-1.0-py3-none-{tags}.whl") == floor
    assert wheel.promised_libc("renamed.whl") == ""


@pytest.mark.parametrize("kind", ["xz", "gz", "zst"])
def test_a_debian_package_is_a_part_of_a_root_folder(tmp_path: Path, kind: str) -> None:
    """Its libraries lie where the loader looks; what else it needs is in other packages."""
    place = "usr/lib/aarch64-linux-gnu"
    user = make(machine="EM_AARCH64", soname="liba.so.1", needed=["libb.so.1", "libother.so.7"])
    files: dict[str, bytes | str] = {
        f"{place}/liba.so.1": user,
        f"{place}/libb.so.1": "libb.so.1.2",
        f"{place}/libb.so.1.2": make(machine="EM_AARCH64", soname="libb.so.1"),
    }
    if kind == "zst":
        data = zstandard.ZstdCompressor().compress(tarred(files, "w:"))
    else:
        data = tarred(files, f"w:{kind}")
    document = audit_path(deb(tmp_path / "x.deb", data, kind))
    assert document["findings"] == []
    assert [f["file"] for f in document["facts"]] == [f"{place}/liba.so.1", f"{place}/libb.so.1.2"]


def test_a_tarball_is_a_tree_with_its_links(tmp_path: Path) -> None:
    prog = make(
        machine="EM_AARCH64", elf_type="ET_EXEC", needed=["libx.so.1"], runpath="$ORIGIN/../lib"
    )
    files: dict[str, bytes | str] = {
        "p/bin/prog": prog,
        "p/lib/libx.so": NEW,
        "p/lib/libx.so.1": "libx.so",
    }
    (tmp_path / "p.tar.gz").write_bytes(tarred(files, "w:gz"))
    assert shown(tmp_path / "p.tar.gz") == []
    del files["p/lib/libx.so.1"]
    (tmp_path / "p.tar.gz").write_bytes(tarred(files, "w:gz"))
    assert [line[:5] for line in shown(tmp_path / "p.tar.gz")] == ["BM140"]


def test_a_static_library_is_no_archive_of_that_kind(tmp_path: Path) -> None:
    (tmp_path / "libx.a").write_bytes(factory.ar({"x.o": make(elf_type="ET_REL")}))
    assert not layout.is_archive(tmp_path / "libx.a")
    assert [f["file"] for f in audit_path(tmp_path / "libx.a")["facts"]] == ["libx.a(x.o)"]


@pytest.mark.parametrize("name", ["../out.so", "/out.so", "x/../../out.so"])
def test_no_member_is_put_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "x.zip", {name: NEW})
    with pytest.raises(InputError, match="leads out of the archive"):
        layout.lay_out(path, tmp_path / "in" / "tree", (b"\x7fELF",))
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "x.zip"]


def test_a_link_that_leads_out_is_followed_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    files: dict[str, bytes | str] = {"d": str(tmp_path / "secret"), "d/x.so": NEW}
    (tmp_path / "x.tar").write_bytes(tarred(files, "w:"))
    layout.lay_out(tmp_path / "x.tar", tmp_path / "tree", (b"\x7fELF",))
    assert list((tmp_path / "secret").iterdir()) == []
    assert (tmp_path / "tree" / "d" / "x.so").is_file()


@pytest.mark.parametrize("damage", ["short", "encrypted", "large"])
def test_an_archive_that_cannot_be_read_is_said(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "x.zip", {"x.so": NEW, "zeros": bytes(1 << 16)})
    content = bytearray(path.read_bytes())
    if damage == "short":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "encrypted":
        for at in (content.find(b"PK\x01\x02") + 8, 6):
            content[at] |= 1
        path.write_bytes(content)
    else:
        monkeypatch.setattr(layout, "MOST_AT_LEAST", 1 << 10)
        monkeypatch.setattr(layout, "MOST_TIMES", 1)
    with pytest.raises(InputError, match=r"x\.zip: cannot be unpacked: ") as caught:
        audit_path(path)
    assert "audit the folder" in caught.value.hint


def test_an_archive_without_any_elf_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ELF file here"):
        audit_path(zipped(tmp_path / "x.zip", {"a.txt": b"hello"}))


STREAMS: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_a_tar_in_several_compressed_streams_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    """pigz, pbzip2, pxz and pzstd write them so: the library lies in the second."""
    tar, pack = tarred({"README": b"x" * 5000, "lib/libx.so": NEW}, "w:"), STREAMS[kind]
    path = tmp_path / f"p.tar.{kind}"
    path.write_bytes(pack(tar[:2048]) + pack(tar[2048:]))
    assert [f["file"] for f in audit_path(path)["facts"]] == ["lib/libx.so"]


def test_packages_of_opkg_and_alpine_are_read(tmp_path: Path) -> None:
    """An .ipk is a tar with the files in a tar of their own, or Debian's form; an .apk is three
    gzip streams, of which the first two have no end of a tar."""
    library = make(machine="EM_AARCH64", soname="libx.so", needed=["libother.so.7"])
    files: dict[str, bytes | str] = {"usr/lib/libx.so": library}
    data = tarred(files, "w:gz")
    outer = tarred({"debian-binary": b"2.0\n", "data.tar.gz": data, "control.tar.gz": b""}, "w:gz")
    (tmp_path / "tar.ipk").write_bytes(outer)
    deb(tmp_path / "ar.ipk", data, "gz")
    parts = [tarred({name: b"x"}, "w:")[:1024] for name in (".SIGN.RSA.key", ".PKGINFO")]
    whole = b"".join(gzip.compress(part) for part in (*parts, tarred(files, "w:")))
    (tmp_path / "x.apk").write_bytes(whole)
    for name in ("tar.ipk", "ar.ipk", "x.apk"):
        document = audit_path(tmp_path / name)
        assert [f["file"] for f in document["facts"]] == ["usr/lib/libx.so"]
        assert document["findings"] == []


def test_musls_own_library_is_on_no_board_with_glibc(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(make(machine="EM_AARCH64", needed=["libc.musl-aarch64.so.1"]))
    assert [line[:5] for line in shown(tmp_path / "x.so")] == ["BM141"]


UNREAD = {
    "x.squashfs": b"hsqs" + bytes(92),
    "x.rpm": b"\xed\xab\xee\xdb" + bytes(92),
    "x.apk": b"ADBd" + bytes(92),
    "x.cpio": b"070701" + bytes(92),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_package_that_is_not_read_is_named_and_never_passes(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(UNREAD[name])
    with pytest.raises(InputError, match="which is not read"):
        audit_path(tmp_path / name)
    (tmp_path / "libx.so").write_bytes(NEW)
    deb(tmp_path / "x.deb", b"")
    zipped(tmp_path / "x.whl", {"x": b""})
    unread = [line for line in shown(tmp_path) if line.startswith("BM107")]
    assert [line.split(":")[0] for line in unread] == [
        f"BM107 {file}" for file in sorted((name, "x.deb", "x.whl"))
    ]


def test_the_image_in_an_appimage_is_said_to_be_unread(tmp_path: Path) -> None:
    runtime = bytearray(make(machine="EM_AARCH64", elf_type="ET_EXEC"))
    runtime[8:11] = b"AI\x02"
    (tmp_path / "x.AppImage").write_bytes(runtime)
    assert any("BM107 x.AppImage: an AppImage" in line for line in shown(tmp_path / "x.AppImage"))
