"""Chromium without a screen, and somebody who signs in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from browser.deployment import PASSWORD, USER
from demo.trouble import Trouble

NAMES = ("chromium", "chromium-browser", "google-chrome")

QUIET = (
    "--no-sandbox",  # it may run as root, and opens nothing but our own pages
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
"""What keeps Chromium from asking the network for things of its own."""

PATIENCE = 20_000
"""Milliseconds for which a page may take to show something."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    Start the machine's Chromium: ``CHROMIUM``, or the first that is found.

    :raises Trouble: if there is none.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        message = (
            "There is no Chromium. Install it (apt install chromium), or set CHROMIUM to its path."
        )
        raise Trouble(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


def sign_in(page: Page, url: str) -> None:
    """Sign in at Airflow's own form."""
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda at: "/auth/login" not in at)
