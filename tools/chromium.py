"""A headless Chromium, and how to sign in to Airflow with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from tools.errors import ToolError
from tools.jobs_page import PASSWORD, USER

NAMES = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS = (
    "--no-sandbox",  # needed as root; it opens only our own pages
    # The others stop Chromium's own network requests.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)

TIMEOUT_MILLISECONDS = 20_000
"""How long a page may take to show an element."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """
    Start Chromium: the one that the variable ``CHROMIUM`` names, or the first that is installed.

    :raises ToolError: if none is installed.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        message = (
            "Chromium not found. Install it (apt install chromium), or set CHROMIUM to its path."
        )
        raise ToolError(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


def sign_in(page: Page, url: str) -> None:
    """Sign in with Airflow's own form."""
    page.set_default_timeout(TIMEOUT_MILLISECONDS)
    page.goto(url)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda at: "/auth/login" not in at)
