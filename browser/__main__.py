"""
``make pictures``: take the pictures of the page that the README shows.

``python -m browser FOLDER`` writes them into another folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Page

from browser.chromium import chromium, sign_in
from browser.deployment import PageDeployment
from demo.console import play, say
from demo.deployment import CHECKOUT

FOLDER = CHECKOUT / "docs"
SIZE = {"width": 1360, "height": 900}


def pictures(folder: Path, deployment: PageDeployment) -> None:
    say("Starting two emulators and Airflow")
    deployment.start()
    _, job_id = deployment.wait_in_dag()
    deployment.emulator.jobs.stall(job_id, progress=0.62)
    deployment.calendar.offset = -25 * 60
    deployment.emulator.jobs.stall(deployment.emulator.jobs.add(model="soon").id, progress=0.35)
    deployment.calendar.offset = 0.0
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Taking pictures into {folder}")
    with chromium() as browser:
        with _jobs(browser, deployment.url, "light") as (page, _):
            _take(page, folder, "jobs-light")
        with _jobs(browser, deployment.url, "dark") as (page, _):
            _take(page, folder, "jobs-dark")
        with _jobs(browser, deployment.url, "light") as (page, jobs):
            jobs.locator(f'tr[data-job-id="{job_id}"]').get_by_role("button").click()
            jobs.locator("#detail").get_by_role("link").first.wait_for()
            _take(page, folder, "job-running")
            page.keyboard.press("Escape")
            deployment.other.stop()
            jobs.get_by_role("alert").wait_for()
            jobs.get_by_label("Status").select_option("ERROR")
            _take(page, folder, "jobs-error")


@contextmanager
def _jobs(browser: Browser, url: str, theme: str) -> Iterator[tuple[Page, FrameLocator]]:
    """Open the page in a window whose Airflow has this theme."""
    context = browser.new_context(viewport=SIZE, timezone_id="Europe/Berlin", locale="en-GB")  # type: ignore[arg-type]  # a dictionary is what it takes
    context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page = context.new_page()
    sign_in(page, url)
    page.goto(f"{url}/plugin/cortex-jobs")
    jobs = page.frame_locator("iframe")
    jobs.locator("#jobs tbody tr").first.wait_for()
    yield page, jobs
    context.close()


def _take(page: Page, folder: Path, name: str) -> None:
    page.wait_for_timeout(800)  # until nothing moves any more
    page.screenshot(path=folder / f"{name}.png")
    say(f"  {name}.png")


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve() if sys.argv[1:] else FOLDER
    play(partial(pictures, folder), PageDeployment())
