"""Headless Chromium for tests of the HTML page. It is needed, so it is never skipped."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a fresh profile and logs of its console and its network."""
    missing = [str(program) for program in (BROWSER, DRIVER) if not program.exists()]
    if missing:
        pytest.fail(
            f"{' and '.join(missing)} not found: scripts/test installs chromium, chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def log(driver: webdriver.Chrome, name: str) -> list[dict[str, str]]:
    """Entries of one of the browser's logs since the last call."""
    entries: list[dict[str, str]] = driver.get_log(name)  # type: ignore[no-untyped-call]
    return entries


def console(driver: webdriver.Chrome) -> list[str]:
    """What the page said to the console since the last call; warnings and refusals too."""
    return [entry["message"] for entry in log(driver, "browser")]


def requested(driver: webdriver.Chrome) -> list[str]:
    """Addresses that the page asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in log(driver, "performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def media(driver: webdriver.Chrome, kind: str = "screen", **features: str) -> None:
    """Show the page as on another medium; media(driver, prefers_color_scheme='dark')."""
    wanted: list[Mapping[str, Any]] = [
        {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": wanted})
