"""Sources: nothing without a hash, alternates in order, archives that cannot reach outside."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import elf
from buildmatrix.errors import BuildError, InputError, SourceUnavailable
from buildmatrix.recipe import (
    Alternate,
    DebianAlternate,
    FolderAlternate,
    GitAlternate,
    PypiAlternate,
    SourceSpec,
)
from buildmatrix.sources import Sources, pypi
from buildmatrix.sources.archive import unpack
from buildmatrix.sources.folder import archive_folder, folder_tree
from buildmatrix.sources.layout import lay_out
from buildmatrix.sources.tree import tree_id
from tests.fakes import RecordingReporter
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def tarball(members: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), link
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A real HTTP server on loopback with a Debian pool."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    pool = tmp_path / "mirror" / "pool" / "main" / "b" / "blas"
    pool.mkdir(parents=True)
    handler = partial(Quiet, directory=str(tmp_path / "mirror"))
    with serving(handler) as host:
        yield pool, f"http://{host}"


def debian(content: bytes, name: str = "blas.tar.gz") -> Alternate:
    sha256 = hashlib.sha256(content).hexdigest()
    return DebianAlternate(kind="debian", package="blas", file=name, sha256=sha256)


def sources(tmp_path: Path, url: str, folder: Path | None = None) -> Sources:
    return Sources(
        tmp_path / "cache", lambda: url, lambda: f"{url}/simple", RecordingReporter(), folder
    )


def test_fetched_once_verified_and_unpacked_without_its_top_folder(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    pool, url = mirror
    content = tarball({"blas-1/Makefile": b"all:\n", "blas-1/src/x.c": b"int x;\n"})
    (pool / "blas.tar.gz").write_bytes(content)
    cache = sources(tmp_path, url)
    spec = SourceSpec(name="blas", alternates=[debian(content)])
    assert cache.fetch(spec, "identity", base=tmp_path, subject="s").startswith("Debian source")
    (pool / "blas.tar.gz").unlink()
    assert cache.holds("identity")
    assert cache.held() == {"identity"}
    cache.unpack("identity", tmp_path / "out")
    assert (tmp_path / "out" / "src" / "x.c").read_text() == "int x;\n"


def test_a_wrong_hash_is_an_error_and_nothing_is_kept(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    pool, url = mirror
    (pool / "blas.tar.gz").write_bytes(b"something else")
    cache = sources(tmp_path, url)
    with pytest.raises(BuildError, match=r"sha256 is .*, pinned is") as caught:
        cache.fetch(
            SourceSpec(name="blas", alternates=[debian(b"x")]), "i", base=tmp_path, subject="s"
        )
    assert not isinstance(caught.value, SourceUnavailable)
    assert not cache.holds("i")
    assert list((tmp_path / "cache" / "archives").iterdir()) == []


def test_the_next_alternate_is_tried_and_all_are_named(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    pool, url = mirror
    content = tarball({"a": b"1"})
    (pool / "second.tar.gz").write_bytes(content)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_bytes(b"1")
    alternates = [debian(content, "first.tar.gz"), debian(content, "second.tar.gz")]
    spec = SourceSpec(name="blas", tree=tree_id(tree), alternates=alternates)
    cache = sources(tmp_path, url)
    assert cache.fetch(spec, "i", base=tmp_path, subject="s").endswith("second.tar.gz")
    (pool / "second.tar.gz").unlink()
    with pytest.raises(SourceUnavailable) as caught:
        sources(tmp_path / "other", url).fetch(spec, "i", base=tmp_path, subject="s")
    assert "first.tar.gz: HTTP 404" in str(caught.value)
    assert "second.tar.gz: HTTP 404" in str(caught.value)
    assert "--archives" in str(caught.value)


def wheel(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return buffer.getvalue()


def test_a_wheel_comes_from_the_index_whatever_its_pages_look_like(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    pool, url = mirror
    page = pool.parents[3] / "simple" / "blas-runtime" / "index.html"
    page.parent.mkdir(parents=True)
    content = wheel({"blas/lib.so": b"elf", "blas-1.dist-info/RECORD": b""})
    (pool / "blas-1-py3-none-any.whl").write_bytes(content)
    page.write_text(
        "<a href='../../elsewhere.whl'>blas-2-py3-none-any.whl</a>"
        '<a data-x="1" href="../../pool/main/b/blas/blas-1-py3-none-any.whl#sha256=0">'
        "blas-1-py3-none-any.whl</a>"
    )
    pinned = PypiAlternate(
        kind="pypi",
        package="blas_runtime",
        file="blas-1-py3-none-any.whl",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    cache = sources(tmp_path, url)
    cache.fetch(SourceSpec(name="blas", alternates=[pinned]), "i", base=tmp_path, subject="s")
    cache.unpack("i", tmp_path / "out")
    assert (tmp_path / "out" / "blas" / "lib.so").read_bytes() == b"elf"

    gone = pinned.model_copy(update={"file": "blas-3-py3-none-any.whl"})
    with pytest.raises(SourceUnavailable, match="out of reach") as caught:
        cache.fetch(SourceSpec(name="blas", alternates=[gone]), "j", base=tmp_path, subject="s")
    assert "lists no blas-3-py3-none-any.whl of blas_runtime" in str(caught.value)
    assert "put blas-3-py3-none-any.whl into a folder" in str(caught.value)


def test_an_index_may_answer_in_json() -> None:
    page = {"files": [{"filename": "a-1.tar.gz", "url": "https://files.example/a-1.tar.gz"}]}
    (found,) = pypi.links(json.dumps(page), pypi.JSON)
    assert (found.name, found.link) == ("a-1.tar.gz", "https://files.example/a-1.tar.gz")
    assert found.provenance == ""
    page["files"][0]["provenance"] = "https://files.example/a-1.tar.gz.provenance"  # PEP 740
    assert next(pypi.links(json.dumps(page), pypi.JSON)).provenance.endswith(".provenance")


def deb(data: bytes) -> bytes:
    """ar(5): a header of 60 bytes before each member, each padded to an even length."""
    found = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("data.tar.gz", data)):
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        found += header.encode() + content + b"\n" * (len(content) % 2)
    return found


def test_a_debian_package_keeps_its_top_folder(tmp_path: Path) -> None:
    archive = tmp_path / "libblas_1_armhf.deb"
    archive.write_bytes(deb(tarball({"./usr/lib/libblas.so.3": b"elf"})))
    unpack(archive, tmp_path / "out", on_error=BuildError)
    assert (tmp_path / "out" / "usr" / "lib" / "libblas.so.3").read_bytes() == b"elf"


@pytest.mark.parametrize(
    "content",
    [b"!<arch>\n" + b"x" * 70, deb(tarball({"a": b"1"}))[:100], b"PK\x03\x04broken", b"", b"text"],
)
def test_a_broken_archive_is_named_and_not_a_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(BuildError, match="cannot be unpacked"):
        unpack(tmp_path / "broken", tmp_path / "out", on_error=BuildError)


def test_a_wheel_cannot_write_outside(tmp_path: Path) -> None:
    archive = tmp_path / "evil.whl"
    archive.write_bytes(wheel({"../../outside": b"1", "/etc/outside": b"2", "fine": b"3"}))
    unpack(archive, tmp_path / "deep" / "out", on_error=BuildError)
    assert not (tmp_path / "outside").exists()
    inside = {p.name for p in (tmp_path / "deep" / "out").rglob("*") if p.is_file()}
    assert inside == {"outside", "fine"}


def test_an_alternate_with_another_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("1")
    spec = SourceSpec(
        name="blas", tree="0" * 40, alternates=[FolderAlternate(kind="folder", path="folder")]
    )
    with pytest.raises(BuildError, match=r"carries tree [0-9a-f]{40}, pinned is 0{40}"):
        sources(tmp_path, "").fetch(spec, "i", base=tmp_path, subject="s")


def test_a_folder_of_archives_serves_without_any_network(tmp_path: Path) -> None:
    content = tarball({"a": b"1", "b": b"2"})
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "blas.tar.gz").write_bytes(content)
    cache = sources(tmp_path, "http://127.0.0.1:9", tmp_path / "mirror")  # a dead server
    cache.fetch(
        SourceSpec(name="blas", alternates=[debian(content)]), "i", base=tmp_path, subject="s"
    )
    assert cache.holds("i")


def test_a_damaged_cache_is_noticed_and_fetched_again(tmp_path: Path) -> None:
    content = tarball({"a": b"1", "b": b"2"})
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "blas.tar.gz").write_bytes(content)
    cache = sources(tmp_path, "", tmp_path / "mirror")
    spec = SourceSpec(name="blas", alternates=[debian(content)])
    cache.fetch(spec, "i", base=tmp_path, subject="s")
    next((tmp_path / "cache" / "archives").iterdir()).write_bytes(content[:-1])
    with pytest.raises(BuildError, match="damaged and is removed"):
        cache.unpack("i", tmp_path / "out")
    assert not cache.holds("i")
    cache.fetch(spec, "i", base=tmp_path, subject="s")
    cache.unpack("i", tmp_path / "out")


@pytest.mark.parametrize(
    ("members", "kind", "link"),
    [
        ({"../evil": b"x"}, tarfile.REGTYPE, ""),
        ({"/tmp/evil": b"x"}, tarfile.REGTYPE, ""),
        ({"evil": b""}, tarfile.SYMTYPE, "../../evil"),
        ({"evil": b""}, tarfile.SYMTYPE, "/etc/passwd"),
        ({"evil": b""}, tarfile.LNKTYPE, "../evil"),
        ({"evil": b""}, tarfile.CHRTYPE, ""),
    ],
)
def test_an_archive_cannot_reach_outside(
    tmp_path: Path, members: dict[str, bytes], kind: bytes, link: str
) -> None:
    (tmp_path / "a.tar").write_bytes(tarball(members, kind=kind, link=link))
    before = sorted(p.name for p in tmp_path.iterdir())
    try:
        unpack(tmp_path / "a.tar", tmp_path / "in" / "out", on_error=BuildError)
    except BuildError as error:
        assert "cannot be unpacked" in str(error)  # noqa: PT017 - either way is right
    inside = {p.name for p in (tmp_path / "in").iterdir()}
    assert inside <= {"out"}
    assert not any(p.is_symlink() for p in (tmp_path / "in" / "out").rglob("*"))
    assert sorted({*before, "in"}) == sorted(p.name for p in tmp_path.iterdir())


@given(st.binary(max_size=300))
def test_no_bytes_bring_the_unpacker_down(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.tar").write_bytes(raw)
    try:
        unpack(folder / "a.tar", folder / "out", on_error=BuildError)
    except BuildError as error:
        assert "cannot be unpacked" in str(error)  # noqa: PT017


def test_the_tree_id_is_gits_own(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "lib.d").mkdir(parents=True)
    (tree / "empty").mkdir()
    for name, content in {"lib.d/x": "1", "lib": "2", "lib-a": "3", "ünï": "4"}.items():
        (tree / name).write_text(content)
    (tree / "run").write_text("#!")
    (tree / "run").chmod(0o755)
    (tree / "link").symlink_to("lib.d/x")
    (tree / "lib0").mkdir()
    (tree / "lib0" / "y").write_text("5")
    for argv in (["init", "-q"], ["add", "-Af", "."]):
        subprocess.run(["git", *argv], cwd=tree, check=True)
    wanted = subprocess.run(
        ["git", "write-tree"], cwd=tree, check=True, capture_output=True, text=True
    )
    subprocess.run(["rm", "-rf", ".git"], cwd=tree, check=True)
    assert tree_id(tree) == wanted.stdout.strip()


def test_a_commit_is_fetched_by_its_full_hash(tmp_path: Path) -> None:
    """A branch named like another commit's hash is not what is fetched."""
    from buildmatrix.sources.git import archive_commit

    repository = tmp_path / "repository"
    repository.mkdir()

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=repository,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    git("init", "-q")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    (repository / "x").write_text("pinned")
    git("add", "x")
    git("commit", "-qm", "one")
    pinned = git("rev-parse", "HEAD")
    (repository / "x").write_text("later")
    git("commit", "-qam", "two")
    git("update-ref", f"refs/heads/{pinned}", git("rev-parse", "HEAD"))
    archive_commit(repository.as_uri(), pinned, tmp_path / "a.tar")
    unpack(tmp_path / "a.tar", tmp_path / "out", on_error=BuildError)
    assert (tmp_path / "out" / "x").read_text() == "pinned"
    with pytest.raises(SourceUnavailable, match="git: "):
        archive_commit((tmp_path / "none").as_uri(), pinned, tmp_path / "b.tar")


def test_a_damaged_archive_is_found_and_fetched_again(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    pool, url = mirror
    content = tarball({"a": b"1"})
    (pool / "blas.tar.gz").write_bytes(content)
    spec = SourceSpec(name="blas", alternates=[debian(content)])
    cache = sources(tmp_path, url)
    cache.fetch(spec, "i", base=tmp_path, subject="s")
    cache.verify(spec, "i")
    archive, alternate = cache.archive(spec, "i")
    assert archive.read_bytes() == content
    assert alternate == spec.alternates[0]
    archive.write_bytes(content[:-1] + b"?")
    with pytest.raises(BuildError, match="damaged"):
        cache.verify(spec, "i")
    assert not cache.holds("i")
    cache.fetch(spec, "i", base=tmp_path, subject="s")
    cache.verify(spec, "i")


def test_a_commit_comes_from_a_folder_only_where_its_tree_is_pinned(tmp_path: Path) -> None:
    """Nobody but git could say that such a file is the commit; the tree says it."""
    commit = "ab" * 20
    folder = tmp_path / "archives"
    folder.mkdir()
    (folder / f"blas-{commit}.tar").write_bytes(tarball({"a": b"1"}))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"1")
    git = GitAlternate(kind="git", url="https://127.0.0.1:9/blas.git", commit=commit)
    cache = sources(tmp_path, "http://127.0.0.1:9", folder)
    pinned = SourceSpec(name="blas", tree=tree_id(tmp_path / "tree"), alternates=[git])
    cache.fetch(pinned, "i", base=tmp_path, subject="s")
    assert cache.holds("i")
    with pytest.raises(SourceUnavailable):
        cache.fetch(SourceSpec(name="blas", alternates=[git]), "j", base=tmp_path, subject="s")


def packed(kind: str, members: dict[str, int]) -> bytes:
    """An archive of zeros: names and sizes."""
    if kind == "tar":
        return tarball({name: bytes(size) for name, size in members.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, size in members.items():
            zipped.writestr(name, bytes(size))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_what_unpacks_to_more_than_any_source_has_is_refused_before_it_fills_the_disk(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildmatrix.sources.archive.ALWAYS_FINE", 1 << 20)
    (tmp_path / "a").write_bytes(packed(kind, {"a/zeros": 3 << 20}))
    with pytest.raises(BuildError, match="unpacks to more than 1 MiB"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*")) < 1 << 20


def test_a_zip_whose_member_has_no_name_is_refused(tmp_path: Path) -> None:
    """Python's zipfile looks at the last letter of the name."""
    named = packed("zip", {"nnn": 1})
    (tmp_path / "a").write_bytes(named.replace(b"nnn", b"\0nn"))
    with pytest.raises(BuildError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_of_too_many_files_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildmatrix.sources.archive.MOST_FILES", 10)
    (tmp_path / "a").write_bytes(packed(kind, {f"a/{i}": 1 for i in range(11)}))
    with pytest.raises(BuildError, match="more than 10 files"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_that_goes_deeper_than_any_source_is_refused(tmp_path: Path, kind: str) -> None:
    """Before Python's own end, which is no error of ours; with a folder of the project alike."""
    (tmp_path / "a").write_bytes(packed(kind, {"d/" * 1200 + "x": 1}))
    with pytest.raises(BuildError, match="lies deeper than 200 folders"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)
    (tmp_path / "project/src").mkdir(parents=True)
    (tmp_path / "project/src" / "/".join("d" * 300)).mkdir(parents=True)
    with pytest.raises(SourceUnavailable, match="lies deeper than 200 folders"):
        folder_tree(tmp_path / "project", "src")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_of_many_deep_names_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder above a file is looked at for each file: 41,000 took a minute."""
    monkeypatch.setattr("buildmatrix.sources.archive.FILES_ALWAYS_FINE", 100)
    many = {"d/" * 100 + str(i): 1 for i in range(60)}
    (tmp_path / "a").write_bytes(packed(kind, many))
    with pytest.raises(BuildError, match="lie deeper than those of any source"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)


def odd_tar(kind: str) -> bytes:
    """A tar of some 8 MiB that belong to no file: tarfile would read as many of them as there are,
    a megabyte of gzip has 900."""
    member, much = tarfile.TarInfo("t/a"), 8 << 20
    match kind:
        case "PAX record" | "long name":
            member.type = tarfile.XHDTYPE if kind == "PAX record" else tarfile.GNUTYPE_LONGNAME
            member.size = much
            return member.tobuf() + b"a" * much
        case "map of holes":
            member.type = tarfile.GNUTYPE_SPARSE
            head = bytearray(member.tobuf(tarfile.GNU_FORMAT))
            head[482] = 1  # the map goes on in a block of its own, and so does that one
            head[148:156] = b" " * 8
            head[148:156] = b"%06o\0 " % sum(head)
            return bytes(head) + (b"00000000000\0" * 42 + b"\1" + b"\0" * 7) * (much >> 9)
        case _:
            holes = {"major": "1", "minor": "0", "name": "a", "realsize": "1"}
            member.pax_headers = {f"GNU.sparse.{name}": text for name, text in holes.items()}
            member.size = much
            return member.tobuf(tarfile.PAX_FORMAT) + b"9000000\n" + b"1000000\n" * (much >> 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PAX record", "long name", "map of holes", "map in the file"])
def test_what_belongs_to_no_file_of_a_tar_has_a_bound(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.tar").write_bytes(odd_tar(kind))
    with pytest.raises(BuildError, match="cannot be unpacked: more than 4 MiB of it belong to no"):
        unpack(tmp_path / "a.tar", tmp_path / "out", on_error=BuildError)
    with pytest.raises(InputError, match="cannot be unpacked: more than 4 MiB of it belong to no"):
        lay_out(tmp_path / "a.tar", tmp_path / "laid", elf.MAGICS)


@pytest.mark.parametrize("target", ["t/later", "t/h", "t/nowhere"])
def test_a_hard_link_to_nothing_is_a_clean_error(tmp_path: Path, target: str) -> None:
    data = tarball({"t/h": b""}, kind=tarfile.LNKTYPE, link=target)
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(BuildError, match="cannot be unpacked"):
        unpack(tmp_path / "a.tar", tmp_path / "out", on_error=BuildError)


def test_a_top_folder_is_taken_off_whatever_the_names_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tarball({"t/.buildmatrix-top": b"", "t/t/x": b""}))
    unpack(tmp_path / "a.tar", tmp_path / "out", on_error=BuildError)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".buildmatrix-top", "t"]


def zip_of(modes: dict[str, int], text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, mode in modes.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            zipped.writestr(entry, text)
    return buffer.getvalue()


def test_a_zip_has_the_programs_and_links_of_a_tarball_of_the_same_files(tmp_path: Path) -> None:
    modes = {"blas-1/configure": 0o100755, "blas-1/a.c": 0o100644, "blas-1/to": 0o120777}
    (tmp_path / "a.zip").write_bytes(zip_of(modes, "a.c"))
    unpack(tmp_path / "a.zip", tmp_path / "out", on_error=BuildError)
    same = tmp_path / "same"
    same.mkdir()
    (same / "configure").write_text("a.c")
    (same / "configure").chmod(0o755)
    (same / "a.c").write_text("a.c")
    (same / "to").symlink_to("a.c")
    assert tree_id(tmp_path / "out") == tree_id(same)


@pytest.mark.parametrize("text", ["/etc/passwd", "../../x", "to/../../../x"])
def test_a_link_of_a_zip_cannot_leave(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"t/to": 0o120777}, text))
    with pytest.raises(BuildError, match="cannot be unpacked: 't/to' is a link that leaves"):
        unpack(tmp_path / "a.zip", tmp_path / "out", on_error=BuildError)


def test_a_small_archive_cannot_hold_files_for_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildmatrix.sources.archive.FILES_ALWAYS_FINE", 200)
    (tmp_path / "a").write_bytes(gzip.compress(tarfile.TarInfo("t/a").tobuf() * 300))
    with pytest.raises(BuildError, match=r"holds more than 2\d+ files"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)
    with pytest.raises(InputError, match="more inside than an archive of its size can have"):
        lay_out(tmp_path / "a", tmp_path / "laid", elf.MAGICS)


def test_a_tarball_of_zstd_is_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(zstandard.compress(gzip.decompress(tarball({"t/a.c": b"1"}))))
    unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.c"]


def test_a_date_that_no_clock_has_is_a_clean_error(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a/f")
    member.pax_headers = {"mtime": "-1e300"}
    with tarfile.open(tmp_path / "a", "w") as archive:
        archive.addfile(member, io.BytesIO())
    with pytest.raises(BuildError, match="cannot be unpacked: timestamp out of range"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)


def test_an_encrypted_wheel_is_a_clean_error(tmp_path: Path) -> None:
    image = bytearray(packed("zip", {"a/x": 8}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        image[image.index(signature) + flags] |= 1  # 'encrypted', APPNOTE 4.4.4
    (tmp_path / "a").write_bytes(image)
    with pytest.raises(BuildError, match=r"cannot be unpacked.*encrypted"):
        unpack(tmp_path / "a", tmp_path / "out", on_error=BuildError)


def test_the_pinned_files_packed_another_way_are_told_as_that(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    pool, url = mirror
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "Makefile").write_text("all:\n")
    before, after = (tarball({f"{top}/Makefile": b"all:\n"}) for top in ("blas-1", "blas-2"))
    (pool / "blas.tar.gz").write_bytes(after)
    spec = SourceSpec(name="blas", tree=tree_id(tmp_path / "tree"), alternates=[debian(before)])
    with pytest.raises(BuildError, match="the pinned files, packed another way") as caught:
        sources(tmp_path, url).fetch(spec, "i", base=tmp_path, subject="s")
    assert hashlib.sha256(after).hexdigest() in caught.value.hint


def test_a_folder_source_cannot_leave_the_project(tmp_path: Path) -> None:
    for path in ("/etc", "../other", "a/../../b"):
        with pytest.raises(ValueError, match="inside the folder"):
            FolderAlternate(kind="folder", path=path)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "src").symlink_to(tmp_path)
    spec = SourceSpec(name="x", alternates=[FolderAlternate(kind="folder", path="src")])
    with pytest.raises(SourceUnavailable, match="is a link out of the project"):
        sources(tmp_path, "http://127.0.0.1:9").fetch(
            spec, "i", base=tmp_path / "project", subject="s"
        )


def commit(folder: Path) -> None:
    for argv in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "1"]):
        who = (
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.org",
            "-c",
            "advice.addEmbeddedRepo=0",
        )
        subprocess.run(["git", *who, *argv], cwd=folder, check=True)


@pytest.mark.parametrize("how", ["a clone", "a submodule", "one without its .git", "in the source"])
def test_files_of_a_repository_within_the_folder_are_of_the_source(
    tmp_path: Path, how: str
) -> None:
    """git lists the folder alone, and its files once were left out without a word."""
    whole = tmp_path / "whole"  # the same files, and no git
    for folder in (whole, tmp_path / "project" / "src"):
        (folder / "blas" / "lib").mkdir(parents=True)
        for name in ("a.c", "blas/b.c", "blas/lib/c.c"):
            (folder / name).write_text(name)
    project = tmp_path / "project"
    blas, path = project / "src" / "blas", "src"
    commit(blas)
    (blas / ".gitignore").write_text("*.o\n.gitignore\n")
    (blas / "b.o").write_text("ignored there")
    if how == "a clone":
        subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    else:
        commit(project)
    if how in ("one without its .git", "in the source"):
        shutil.rmtree(blas / ".git")
        for name in (".gitignore", "b.o"):
            (blas / name).unlink()
    if how == "in the source":
        path, whole = "src/blas", whole / "blas"
    assert folder_tree(project, path) == tree_id(whole)
    archive_folder(project, path, tmp_path / "a.tar")
    unpack(tmp_path / "a.tar", tmp_path / "out", on_error=BuildError)
    assert tree_id(tmp_path / "out") == tree_id(whole)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_no_source_can_hold_is_named_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    (tmp_path / "src").mkdir()
    if kind == "pipe":
        os.mkfifo(tmp_path / "src" / "odd")
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(tmp_path / "src" / "odd"))
    with pytest.raises(SourceUnavailable, match="is no file, folder or link") as caught:
        folder_tree(tmp_path, "src")
    assert caught.value.where == str(tmp_path / "src" / "odd")


HANGS = """
import sys
from pathlib import Path
from buildmatrix.sources.git import archive_commit
from buildmatrix import scratch
root = Path(sys.argv[1])
with scratch.file(root, "fetch-") as temporary:
    archive_commit(f"git://127.0.0.1:{sys.argv[2]}/x", "1" * 40, temporary)
"""


@pytest.mark.slow
def test_a_fetch_that_was_killed_leaves_nothing_that_the_next_build_does_not_take(
    tmp_path: Path,
) -> None:
    """Neither what was downloaded nor git's clone, which once stayed in /tmp."""
    cache, temporary = tmp_path / "sources", tmp_path / "tmp"
    for folder in (cache, temporary):
        folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        argv = [sys.executable, "-c", HANGS, str(cache), str(mute.getsockname()[1])]
        maker = subprocess.Popen(argv, env={**os.environ, "TMPDIR": str(temporary)})
        peer, _ = mute.accept()  # git is at it
        maker.kill()
        maker.wait()
        with peer:
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(1 << 16):  # to its end, which is git's
                pass
    assert list(temporary.iterdir()) == []
    left = sorted(cache.iterdir())
    assert sorted(path.is_dir() for path in left) == [False, True]
    for path in left:
        os.utime(path, (0, 0))  # what is young may be somebody's
    assert sorted(Sources(cache, str, str, RecordingReporter()).sweep()) == left
    assert list(cache.iterdir()) == []
