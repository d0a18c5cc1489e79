"""What stands in blocks on the pages is read by what it is for, and every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from buildmatrix import schema
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.matrix.spec import MatrixSpec
from buildmatrix.network import VariantSpec
from buildmatrix.recipe import RecipeSpec
from buildmatrix.template import render
from tests.manual import PAGES, ROOT, Block, blocks

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
SCRIPTS = [block for block in BLOCKS if block.language == "jinja"]
YAML = [block for block in BLOCKS if block.language == "yaml"]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")
MATRIX = "version: 1\ntoolchain: armv7hf-bookworm\n"


def test_every_block_says_what_it_is_in_or_is_something_that_was_printed() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "jinja", "yaml", ""}
    assert len(SHELL) > 12


def test_every_shell_block_is_one() -> None:
    text = "\n".join(f"{{\n{block.text}}}" for block in SHELL)
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""


CONTEXT = {
    **{"source": {"dot": "/src/dot"}, "option": {"neon": True}, "cmake_toolchain": "/t.cmake"},
    **{"target": {"triple": "arm-linux-gnueabihf"}, "flags": ["-march=armv7-a", "-mfpu=neon"]},
}


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_build_script_is_a_shell_s_once_it_is_filled_in(block: Block, tmp_path: Path) -> None:
    (tmp_path / "build.sh.j2").write_text(block.text)
    text = render(tmp_path / "build.sh.j2", CONTEXT)
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.stderr, "-march=armv7-a -mfpu=neon'" in text or "/t.cmake" in text) == ("", True)


def spec_of(block: Block) -> type[MatrixSpec | RecipeSpec | FileNetworkSpec | VariantSpec]:
    if "docs/models" in block.page:
        return VariantSpec if "\nof: " in block.text else FileNetworkSpec
    return RecipeSpec if "docs/recipes" in block.page else MatrixSpec


@pytest.mark.parametrize("block", YAML, ids=str)
def test_every_yaml_block_is_read_as_what_it_is(block: Block) -> None:
    spec = spec_of(block)
    text = block.text.replace("SHA256:…", f"SHA256:{43 * 'A'}")
    if spec is MatrixSpec and "version:" not in text:
        text = MATRIX + text
    schema.parse(text, file=str(block)).build(spec)


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {f"#{re.sub(r'[^a-z0-9 -]', '', head.lower()).replace(' ', '-')}" for head in heads}


def test_every_link_leads_to_a_file_that_is_there_and_to_a_heading_of_it() -> None:
    astray = []
    for page in PAGES:
        for path, anchor in LINK.findall(page.read_text()):
            target = (page.parent / path) if path else page
            if not target.exists():
                astray.append(f"{page.name}: {path}")
            elif anchor and anchor not in anchors(target.read_text()):
                astray.append(f"{page.name}: {path}{anchor}")
    assert astray == []


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 6_000
