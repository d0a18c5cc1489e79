"""The HTML page in a real browser: it draws, answers to mouse and keyboard, and asks nobody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from buildmatrix import page
from tests.chromium import chromium, console, media, requested
from tests.unit.pages import HOSTILE, content, hostile, real, virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement


VISIBLE = """return [...document.querySelectorAll("details:not([open]) dl")].every(
    (list) => list.checkVisibility() && list.getBoundingClientRect().height > 0)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page.render(content(real(), virtual())), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(browser: Chrome, address: str) -> Chrome:
    """The page with every chart alive, on a light screen, and empty logs but its own."""
    media(browser, prefers_color_scheme="light")
    browser.get("about:blank")
    console(browser)
    requested(browser)
    browser.get(address)
    until(lambda: len(all_of(browser, ".chart.drawn")) == len(all_of(browser, ".chart")) == 8)
    return browser


def until(holds: Callable[[], bool], *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.05)


def all_of(driver: Chrome, selector: str) -> list[WebElement]:
    return driver.find_elements(By.CSS_SELECTOR, selector)


def one(driver: Chrome, selector: str) -> WebElement:
    return driver.find_element(By.CSS_SELECTOR, selector)


def style(driver: Chrome, selector: str, name: str) -> str:
    return one(driver, selector).value_of_css_property(name)


def test_both_charts_are_drawn_and_nothing_is_asked_of_anyone(opened: Chrome, address: str) -> None:
    for scale in ("linear", "log"):
        points = all_of(opened, f"#b1-{scale} .live [aria-roledescription=point]")
        lines = all_of(opened, f"#b1-{scale} .live .mark-line [aria-roledescription='line mark']")
        assert len(points) >= len(real().points)
        assert len(lines) >= len(real().grid.cells)
    assert len(all_of(opened, "#b2-linear .live [aria-roledescription=point]")) == 6
    assert {url for url in requested(opened) if not url.startswith("data:")} == {address}
    assert console(opened) == []


def test_the_page_cannot_fetch_nor_run_what_is_put_into_it(opened: Chrome) -> None:
    refused = opened.execute_async_script(
        "const done = arguments[0];"
        "fetch('http://127.0.0.1:9/').then(() => done('went out'), e => done(e.name));"
    )
    assert refused == "TypeError"
    opened.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        "document.body.append(s);"
    )
    assert opened.execute_script("return window.ran") is None
    assert sum("Content Security Policy" in words for words in console(opened)) >= 2


def test_hostile_words_are_shown_and_not_run(opened: Chrome) -> None:
    assert HOSTILE in one(opened, "#b1 details").text
    assert all_of(opened, "img") == []


def test_the_keyboard_switches_the_scale(opened: Chrome) -> None:
    linear, log = one(opened, "#b1-linear"), one(opened, "#b1-log")
    assert (linear.is_displayed(), log.is_displayed()) == (True, False)
    width = one(opened, "#b1-linear .live svg").rect["width"]
    one(opened, "#b1 input[value=linear]").send_keys(Keys.ARROW_RIGHT)
    assert (linear.is_displayed(), log.is_displayed()) == (False, True)
    until(lambda: bool(one(opened, "#b1-log .live svg").rect["width"] == width))
    assert "logarithmic scale" in one(opened, "#b1 figure.log figcaption").text
    assert one(opened, "#b2-linear").is_displayed()  # each board has a switch of its own
    ticks = [e.text for e in all_of(opened, "#b1-log .live .role-axis-label text") if e.text]
    assert {"5", "10", "20", "50"} <= set(ticks)


def test_a_point_tells_its_figures(opened: Chrome) -> None:
    measured = next(p for p in real().points if (p.cell, p.batch) == ("tf-neon", 2))
    interval = "{:.2f} to {:.2f}".format(*measured.interval or (0, 0))
    point = pointed(opened, "cell: tf-neon", "batch: 2")
    assert told(opened, point) == {
        "cell": "tf-neon",
        "batch": "2",
        "ms an image": "39.25",
        "95 % interval": interval,
        "blocks": "6",
        "peak memory": "41 MiB",
    }


def test_an_emulated_point_tells_instructions(opened: Chrome) -> None:
    point = all_of(opened, "#b2-linear .live [aria-roledescription=point]")[0]
    found = told(opened, point)
    assert found["million instructions an image (emulated)"] == "81.40"
    assert "ms an image" not in found


def pointed(driver: Chrome, *facts: str) -> WebElement:
    """The point of the first live chart that has these facts."""
    points = all_of(driver, "#b1-linear .live [aria-roledescription=point]")
    labels = [(point.get_attribute("aria-label") or "").split("; ") for point in points]
    return next(p for p, label in zip(points, labels, strict=True) if set(facts) <= set(label))


def told(driver: Chrome, point: WebElement) -> dict[str, str]:
    """The tooltip of a point, when it has come."""
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(driver).move_to_element(point).perform()
    until(lambda: bool(all_of(driver, "#vg-tooltip-element.visible")))
    assert style(driver, "#vg-tooltip-element", "visibility") == "visible"
    rows = all_of(driver, "#vg-tooltip-element tr")
    keys = [row.find_element(By.CSS_SELECTOR, "td.key").text.rstrip(":") for row in rows]
    values = [row.find_element(By.CSS_SELECTOR, "td.value").text for row in rows]
    return dict(zip(keys, values, strict=True))


def test_a_hostile_name_is_a_name_in_chart_and_tooltip(browser: Chrome, tmp_path: Path) -> None:
    html = page.render(content(hostile()))
    (tmp_path / "hostile.html").write_text(html, encoding="utf-8")
    console(browser)
    browser.get((tmp_path / "hostile.html").as_uri())
    until(lambda: bool(all_of(browser, "#b1-linear.drawn")))
    point = pointed(browser, f"cell: {HOSTILE}", "batch: 1")
    assert told(browser, point)["cell"] == HOSTILE
    assert console(browser) == []


def test_another_batch_size_moves_the_front(opened: Chrome) -> None:
    def labels() -> set[str]:
        found = all_of(opened, "#b1-memory .live .mark-text.role-mark text")
        return {text for element in found if (text := (element.text or "").strip())}

    chosen = one(opened, "#b1 select")
    assert chosen.get_attribute("value") == "2"
    assert {label.split()[-1] for label in labels()} == {"caffe", "caffe-neon", "tf-neon"}
    chosen.send_keys("4")
    until(lambda: {label.split()[-1] for label in labels()} == {"tf-neon"})
    assert "batch size 4" in one(opened, "#b1 .front figcaption").text


def test_a_dark_screen_gets_a_dark_page_and_dark_charts(opened: Chrome) -> None:
    def colours() -> tuple[str, ...]:
        line = "#b1-linear .live [aria-roledescription='line mark']"
        return (
            style(opened, "body", "background-color"),
            style(opened, "body", "color"),
            style(opened, "#b1-linear .live svg", "background-color"),
            style(opened, line, "stroke"),
        )

    light = colours()
    media(opened, prefers_color_scheme="dark")
    dark = colours()
    assert all(one != other for one, other in zip(light, dark, strict=True))
    assert (light[0], dark[0]) == ("rgba(255, 255, 255, 1)", "rgba(21, 24, 28, 1)")
    assert light[2] == light[0]
    assert dark[2] == dark[0]


def test_paper_gets_both_scales_and_no_switch(opened: Chrome) -> None:
    media(opened, "print")
    for scale in ("linear", "log"):
        assert one(opened, f"#b1-{scale} .picture svg").is_displayed()
        assert not one(opened, f"#b1-{scale} .live").is_displayed()
    assert not any(control.is_displayed() for control in all_of(opened, ".control"))
    assert all_of(opened, "details:not([open]) dl")
    assert opened.execute_script(VISIBLE) is True
    media(opened)
    assert opened.execute_script(VISIBLE) is False


def test_without_scripts_the_pictures_stay_and_the_switch_works(
    browser: Chrome, address: str
) -> None:
    media(browser)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert one(browser, "#b1-linear .picture svg").is_displayed()
        one(browser, "#b1 input[value=log]").click()
        assert not one(browser, "#b1-linear .picture").is_displayed()
        assert one(browser, "#b1-log .picture svg").is_displayed()
        assert not one(browser, "#b1 select").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(opened: Chrome, width: int) -> None:
    screen: dict[str, Any] = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        until(lambda: one(opened, "#b1-linear .live svg").rect["width"] <= width)
        assert opened.execute_script("return document.documentElement.scrollWidth") == width
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
