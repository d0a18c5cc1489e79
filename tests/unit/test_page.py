"""The HTML page as text: what it says, what it cannot do, and what nobody can make it do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import jinja2
import pytest

from buildmatrix import page, template
from buildmatrix.compare import Comparison, Verdict
from buildmatrix.nouns import INSTRUCTIONS, TIME
from buildmatrix.page.answer import answers
from tests.unit.pages import (
    CELLS,
    HOSTILE,
    board,
    content,
    hostile,
    of_emulator,
    profiled,
    real,
    virtual,
)
from tests.unit.rows import row

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # a browser's engine draws every picture of a page


@cache
def rendered(kind: str) -> str:
    boards = {"board": (real(),), "emulated": (virtual(),), "both": (real(), virtual())}
    return page.render(content(*boards[kind]))


@dataclass
class Element:
    """A start tag, and the text inside it, that of its children too."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Reader(HTMLParser):
    """Reads a page as a browser does: what is escaped is text, what is not is an element."""

    found: list[Element] = field(default_factory=list)
    inside: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Element(tag, dict(attrs)))
        if tag not in ("meta", "input", "img", "br"):
            self.inside.append(self.found[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop().tag == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        for element in self.inside:
            element.text += data


def read(html: str) -> list[Element]:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.inside == []
    return reader.found


def of(html: str, *tags: str) -> list[Element]:
    return [element for element in read(html) if element.tag in tags]


def words(html: str) -> str:
    """The page's text in one line, without scripts, style and pictures."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join("".join(e.text for e in read(body) if e.tag == "html").split())


def test_a_template_escapes_and_knows_its_names(tmp_path: Path) -> None:
    file = tmp_path / "page.html.j2"
    file.write_text('<p title="{{ x }}">{{ x }}</p>{{ ours | safe }}')
    told = template.page(file, {"x": "<b>\"'&", "ours": "<i>"})
    assert told == '<p title="&lt;b&gt;&#34;&#39;&amp;">&lt;b&gt;&#34;&#39;&amp;</p><i>'
    with pytest.raises(jinja2.UndefinedError, match="ours"):
        template.page(file, {"x": 1})


@pytest.mark.parametrize("kind", ["board", "emulated", "both"])
def test_hostile_words_stay_words(kind: str) -> None:
    html = rendered(kind)
    assert HOSTILE in "".join(e.text for e in of(html, "details"))
    assert not of(html, "img", "iframe", "link", "object", "embed", "form", "base")
    assert not [a for e in read(html) for a in e.attributes if a.startswith("on")]
    executed = [s for s in of(html, "script") if s.attributes.get("type") != "application/json"]
    assert len(executed) == 2


def test_the_page_says_beside_the_audit_where_the_instructions_go() -> None:
    html = page.render(profiled(virtual()))
    assert "Where the instructions go: face-cnn, batch 1, pi3-counted emulated" in words(html)
    assert (
        "caffe executes 2.04 times the instructions of caffe-neon (83.5 M against 41.0 M an "
        "image): sgemm_kernel in libopenblas.so.0 does 50.1 M scalar multiply-adds where its twin "
        "does 12.5 M quad multiply-adds"
    ) in words(html)
    rows = [cells.text for cells in of(html, "tr")]
    assert "sgemm_kernellibopenblas.so.023.130.0%12.51 quad multiply-adds, 6.69 loads" in rows
    assert any(row.startswith("</script><script>alert") for row in rows)
    assert not of(html, "img")
    assert "Where the instructions go" not in rendered("emulated")


@pytest.mark.parametrize(
    "place", ["title", "model", "tool", "generated_at", "footnotes", "compared"]
)
def test_hostile_words_anywhere_on_the_page_are_escaped(place: str) -> None:
    said: object = (HOSTILE,) if place == "footnotes" else HOSTILE
    comparison = Comparison(HOSTILE, 1, 4, HOSTILE, "m", TIME, Verdict.SAME, reason=HOSTILE)
    html = page.render(content(comparisons=(comparison,), **{place: said}))
    assert len(of(html, "script")) == 2
    assert not of(html, "img")


def test_a_hostile_cell_is_a_name_like_any_other() -> None:
    """In tables, pictures and specs; JSON inside a script cannot end that script."""
    html = page.render(content(hostile()))
    assert not of(html, "img")
    specs = [e for e in of(html, "script") if e.attributes.get("type") == "application/json"]
    named = [json.loads(spec.text)["data"]["values"] for spec in specs]
    assert all(HOSTILE in {value["cell"] for value in values} for values in named)
    assert any(HOSTILE in e.text for e in of(html, "th"))


def test_the_policy_allows_what_is_in_the_file_and_nothing_else() -> None:
    html = rendered("both")
    (policy,) = [
        e.attributes["content"] or ""
        for e in of(html, "meta")
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    executed = [s for s in of(html, "script") if not s.attributes]
    assert rules["script-src"].split() == [hashed(script.text) for script in executed]
    assert [rules["style-src"]] == [hashed(style.text) for style in of(html, "style")]


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_nothing_in_the_page_points_outside_it() -> None:
    html = rendered("both")
    pointing = [
        value
        for e in read(html)
        for name, value in e.attributes.items()
        if name in ("src", "href", "action", "srcset", "data", "poster", "xlink:href")
    ]
    assert pointing
    assert all(value is not None and value.startswith("#") for value in pointing)
    (style,) = of(html, "style")
    assert not re.search(r"url\(|@import|@font-face|https?:", style.text)
    specs = [e.text for e in of(html, "script") if e.attributes]
    assert specs
    assert not any("http" in spec for spec in specs)


def test_links_lead_to_a_place_on_the_page() -> None:
    found = read(rendered("both"))
    ids = [e.attributes["id"] for e in found if "id" in e.attributes]
    labels = [e.attributes["aria-labelledby"] for e in found if "aria-labelledby" in e.attributes]
    assert len(set(ids)) == len(ids)
    assert {(e.attributes["href"] or "")[1:] for e in found if "href" in e.attributes} <= set(ids)
    assert set(labels) <= set(ids)


def test_every_emulated_table_figure_and_heading_says_so() -> None:
    html = rendered("emulated")
    assert "No board was measured" in next(
        e.text for e in read(html) if e.attributes.get("role") == "note"
    )
    assert of(html, "title")[0].text.endswith("(emulated)")
    captions = of(html, "figcaption")
    assert len(captions) == 4
    assert all("(emulated)" in caption.text for caption in captions)
    assert all("emulated" in e.text for e in of(html, "caption")[:1])
    columns = [e.text for e in of(html, "th") if "M instr" in e.text]
    assert len(columns) == 2
    assert all("emulated" in column for column in columns)
    specs = [e.text for e in of(html, "script") if e.attributes]
    assert all("emulated" in spec and "study" not in spec for spec in specs)
    assert "no emulated figure may be held against them" in words(html)


def test_a_page_of_boards_only_has_no_word_of_emulation() -> None:
    html = rendered("board")
    assert "emulated" not in words(html).lower()
    assert "measured on a board" in words(html)
    assert any("study of 2017" in e.text for e in of(html, "script") if e.attributes)


def test_a_page_of_both_says_how_many_and_keeps_them_in_tables_of_their_own() -> None:
    html = rendered("both")
    assert "1 of 2 tables ran on an emulator" in words(html)
    real_caption, virtual_caption = [e.text for e in of(html, "caption")][:2]
    assert "ms an image" in real_caption
    assert "emulated" not in real_caption
    assert "(emulated)" in virtual_caption


def test_the_table_marks_the_best_in_words_and_tells_endings() -> None:
    """As many cells as batches: cells are rows, whose names would make columns too wide."""
    found = [e for e in of(rendered("board"), "td", "th") if e.attributes.get("scope") != "col"]
    caffe, neon, tf = ([" ".join(e.text.split()) for e in found[at : at + 4]] for at in (0, 4, 8))
    assert [row[0] for row in (caffe, neon, tf)] == ["●caffe", "■caffe-neon", "▲tf-neon"]
    assert neon[1].startswith("★44.25, least of its column±")
    assert tf[2].startswith("★39.25, least of its column±")
    assert not neon[2].startswith("★")
    assert (caffe[3], neon[3]) == ("-", "WRONG 1e-06 [1]")
    abbr = of(rendered("board"), "abbr")[0]
    assert abbr.attributes["title"] == "out of memory"


def test_tables_are_tables_for_those_who_hear_them() -> None:
    found = of(rendered("both"), "table", "caption", "th", "h1", "h2", "h3", "div")
    assert all(e.attributes.get("scope") in ("row", "col") for e in found if e.tag == "th")
    levels = [int(e.tag[1]) for e in found if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    pictures = [e for e in found if e.attributes.get("role") == "img"]
    assert len(pictures) == 8
    assert all(e.attributes["aria-label"] for e in pictures)


def test_every_void_block_is_listed_with_its_reason() -> None:
    details = next(e.text for e in of(rendered("board"), "details") if "disturbed" in e.text)
    assert "2 disturbed blocks" in details
    assert "throttled" in details
    assert "caffe (sentinel)" in " ".join(details.split())
    assert "swapped" in details


def test_the_answer_names_the_best_cell_of_each_batch_size() -> None:
    found = answers(real())
    assert [(a.batches, a.cell, a.figures) for a in found] == [
        ("batch 1", "caffe-neon", "44.25"),
        ("batch 2", "tf-neon", "39.25"),
    ]
    assert found[0].lead == "the next takes 1.14 times as much"
    assert [(a.batches, a.cell, a.figures) for a in answers(virtual())] == [
        ("batch 1 to 4", "caffe-neon", "38.80 to 39.10")
    ]


def test_cells_whose_intervals_meet_are_called_level() -> None:
    near = {"caffe": 50.0, "tf": 50.2}
    blocks = [row(c, 1, ms + n / 5, block=n) for c, ms in near.items() for n in range(6)]
    (answer,) = answers(board(blocks, "pi3"))
    assert (answer.cell, answer.lead) == ("caffe", "level with tf, the 95 % intervals meet")


def test_a_best_cell_that_computes_in_fewer_bits_has_the_best_of_the_others_beside_it() -> None:
    coarse = replace(real(), formats=(("caffe-neon", "int8"), ("tf-neon", "float32")))
    first, second = answers(coarse)
    assert (first.cell, second.cell) == ("caffe-neon", "tf-neon")
    assert first.lead.split("; ") == [
        "the next takes 1.14 times as much",
        "it computes in int8",
        "the best in float32 is tf-neon, 50.25",
    ]
    assert "computes" not in second.lead
    nothing_else = replace(coarse, formats=tuple((cell, "int8") for cell in CELLS))
    assert all("float32" not in answer.lead for answer in answers(nothing_else))


def test_one_cell_alone_is_best_of_nothing() -> None:
    alone = board([row("caffe", 1, 50)], "pi3")
    assert answers(alone) == ()
    html = page.render(content(alone))
    assert "there is nothing to compare" in words(html)
    assert len(of(html, "figure")) == 2


def test_an_emulated_row_without_a_count_shows_no_time_as_its_figure() -> None:
    uncounted = [replace(m, instructions=None) for m in of_emulator()]
    html = page.render(content(board(uncounted, "virtual")))
    fields = [e.text for e in of(html, "td")][:6]
    assert all(text.startswith("not counted") for text in fields)
    assert not of(html, "figure")


def test_comparisons_keep_times_and_counts_apart() -> None:
    both = (
        Comparison("caffe", 1, 4, "pi3", "m", TIME, Verdict.WORSE, 50.0, 55.0, 0.1),
        Comparison("caffe", 1, 1, "virtual", "m", INSTRUCTIONS, Verdict.SAME, 81e6, 81e6, 0.0),
        Comparison("tf", 1, 4, "pi3", "m", TIME, Verdict.BETTER, 50.0, 45.0, -0.1),
        Comparison("tf", 2, 4, "pi3", "m", TIME, Verdict.WORSE, 50.0, None, reason="now OOM"),
    )
    html = page.render(content(comparisons=both, compared="NEW against BASE"))
    time, count = ([" ".join(e.text.split()) for e in of(html, "caption")])[:2]
    assert time == "pi3: 2 worse, 1 better ms an image"
    assert count == "virtual: 1 same million instructions an image (emulated)"
    told = words(html)
    assert "NEW against BASE" in told
    assert "50.00 55.00 +10.0% worse" in told
    assert "50.00 - worsenow OOM" in told
    assert "81.00 81.00 +0.0% same" in told


def test_what_was_built_is_there_cell_by_cell() -> None:
    told = words(rendered("board"))
    assert "caffe-neon29.0" in told
    assert "BM142 warning, lib/x.so" in told
    assert "lib/libopenblas.so.0" in told
    assert "-O2" in told


def test_an_empty_page_is_a_page() -> None:
    html = page.render(content(study=None))
    assert of(html, "h1")[0].text == "face-cnn on the Pi"
    assert not of(html, "figure", "table")


def test_the_page_is_the_same_each_time_and_not_too_large_to_send() -> None:
    html = page.render(content(real(), virtual()))
    assert html == rendered("both")
    assert len(html.encode()) < 1_500_000


def test_more_cells_than_batches_go_down_the_page() -> None:
    board = real()
    few = replace(board, grid=replace(board.grid, batches=board.grid.batches[:2]))
    html = page.render(content(few))
    heads = [" ".join(e.text.split()) for e in of(html, "th")]
    assert heads[: len(few.grid.cells) + 3] == [
        *("cell", "batch 1ms", "batch 2ms"),
        *("●caffe", "■caffe-neon", "▲tf-neon"),
    ]
    (first, second, *_) = [" ".join(e.text.split()) for e in of(html, "td")]
    assert second.startswith("★") == few.grid.is_best(2, few.grid.cells[0])
    assert "least of its column" in words(html)
    assert first


def test_what_figures_are_of_is_said_as_the_workload_has_it() -> None:
    text = words(page.render(replace(content(virtual()), per="a call")))
    assert "Fewest instructions a call" in text
    assert "million instructions a call; small" in text
