"""The machine's headless Chromium and Firefox, and how to sign in to Airflow with them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.errors import ToolError
from tools.jobs_page import PASSWORD, USER

CHROMIUM = "chromium"
FIREFOX = "firefox"

PROGRAMS = {
    CHROMIUM: ("chromium", "chromium-browser", "google-chrome"),
    FIREFOX: ("firefox-esr", "firefox"),
}
PACKAGES = {CHROMIUM: "chromium", FIREFOX: "firefox-esr"}

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # needed as root; it opens only our own pages
    # The others stop Chromium's own network requests.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
FIREFOX_CHANNEL = "moz-firefox"
"""Playwright drives a Firefox that it has not built with WebDriver BiDi."""

TIMEOUT_MILLISECONDS = 20_000
"""How long a page may take to show an element."""


@contextmanager
def open_browser(name: str = CHROMIUM) -> Iterator[Browser]:
    """
    Start a browser: the one that the variable ``CHROMIUM`` or ``FIREFOX`` names, or the first
    that is installed.

    :raises ToolError: if none is installed.
    """
    program = _program(name)
    with sync_playwright() as playwright:
        if name == FIREFOX:
            browser = playwright.firefox.launch(channel=FIREFOX_CHANNEL, executable_path=program)
        else:
            browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


def _program(name: str) -> str:
    variable = name.upper()
    found = os.environ.get(variable) or next(filter(None, map(shutil.which, PROGRAMS[name])), None)
    if found is None:
        message = (
            f"{name.title()} not found. Install it (apt install {PACKAGES[name]}),"
            f" or set {variable} to its path."
        )
        raise ToolError(message)
    return found


def sign_in(page: Page, url: str) -> None:
    """Sign in with Airflow's own form."""
    page.set_default_timeout(TIMEOUT_MILLISECONDS)
    page.goto(url)
    page.get_by_label("Username").press_sequentially(USER)
    page.get_by_label("Password").press_sequentially(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda at: "/auth/login" not in at)


def use_theme(context: BrowserContext, theme: str) -> None:
    """Have Airflow show its ``light`` or its ``dark`` theme."""
    store(context, "theme", theme)


def store(context: BrowserContext, key: str, value: str) -> None:
    """Put a value into the storage of each site before it loads, as its interface would."""
    # Firefox also runs it in the empty page, which has no storage.
    arguments = f"{json.dumps(key)}, {json.dumps(value)}"
    context.add_init_script(f"location.host && localStorage.setItem({arguments})")
