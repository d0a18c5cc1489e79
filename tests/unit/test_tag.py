"""Signed tags: one that was signed once, by a key that was made for it and is gone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from buildmatrix.pinned import identify
from buildmatrix.pipeline.signing import signature_of
from buildmatrix.recipe import GitAlternate, SourceSpec
from buildmatrix.sources.tag import judge
from tests.unit import shelves

SIGNED = Path(__file__).parent / "signed"
TAG, UPSTREAM = (SIGNED / "tag").read_bytes(), SIGNED / "upstream.gpg"
COMMIT, KEY = "9b65ca87146afa9e9645811195dadc644012f6e4", "99CC84F641019E534654E1CB165C6AE3F93758FC"
PLAIN = TAG[: TAG.index(b"-----BEGIN")]
SSH = PLAIN + b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize(
    ("tag", "state", "words"),
    [
        (TAG, "good", f"signed by {KEY}"),
        (TAG.replace(b"release 1.0", b"release 1.1"), "bad", "changed after it was signed"),
        (TAG.replace(b"tag v1.0", b"tag v0.9"), "bad", "the tag says 'tag v0.9', the recipe 'tag"),
        (TAG.replace(b"object 9b", b"object 00"), "bad", "the recipe 'object 9b65ca"),
        (TAG.replace(b"type commit", b"type tree"), "bad", "the tag says 'type tree'"),
        (TAG[:47], "bad", "the tag is cut off"),
        (PLAIN, "none", "the tag v1.0 is not signed"),
        (SSH, "not checked", "is signed by SSH, which is not read"),
        (b"", "none", "is a name alone"),
    ],
)
def test_a_tag_answers_for_the_commit_that_it_names(tag: bytes, state: str, words: str) -> None:
    found = judge(tag, "v1.0", COMMIT, [UPSTREAM])
    assert found.state == state
    assert words in found.reason


def test_the_signed_tag_of_one_release_does_not_answer_for_another() -> None:
    assert judge(TAG, "v2.0", COMMIT, [UPSTREAM]).state == "bad"
    assert judge(TAG, "v1.0", "0" * 40, [UPSTREAM]).state == "bad"


def test_a_key_that_no_keyring_has_is_not_checked() -> None:
    found = judge(TAG, "v1.0", COMMIT, [SIGNED / "keyring.gpg"])
    assert found.state == "not checked"
    assert found.reason.endswith("is in no keyring here")


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("v1.0", "good", f"signed by {KEY}"),
        ("light", "none", "is a name alone"),
        ("gone", "not checked", "refs/tags/gone"),
        ("", "none", "names no tag"),
    ],
)
def test_the_tag_is_fetched_from_where_the_commit_is(
    tmp_path: Path, name: str, state: str, words: str
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    made(repository)
    shop = shelves.workshop(tmp_path)
    shop.keyrings = (UPSTREAM,)
    https = GitAlternate(kind="git", url="https://git.example/x", commit=COMMIT, tag=name)
    alternate = https.model_copy(update={"url": repository.as_uri()})
    source = SourceSpec(name="x", alternates=[https]).model_copy(update={"alternates": [alternate]})
    shop.sources.fetch(source, identify(source), base=tmp_path, subject="source")
    found = signature_of(shop, source)
    assert found.state == state
    assert words in found.reason
    assert not [path for path in shop.sources.root.iterdir() if path.name.startswith("fetch-")]


def made(repository: Path) -> None:
    """The commit that was signed, made again, with its tag and one that is a name alone."""
    when = "2026-01-02T03:04:05Z"
    people = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "x"), ("EMAIL", "x@example.org"), ("DATE", when))
    }

    def git(*arguments: str, given: bytes = b"") -> str:
        environment = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", **people}
        done = subprocess.run(
            ["git", *arguments],
            cwd=repository,
            env=environment,
            input=given,
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    git("init", "-q", "-b", "main")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    (repository / "x").write_text("pinned")
    git("add", "x")
    git("commit", "-qm", "one")
    assert git("rev-parse", "HEAD") == COMMIT
    git("update-ref", "refs/tags/v1.0", git("hash-object", "-t", "tag", "-w", "--stdin", given=TAG))
    git("tag", "light")
