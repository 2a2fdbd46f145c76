"""
``make pictures``: take the pictures of the jobs page that the README shows.

``python -m browser FOLDER`` writes them into another folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Page

from tools.browsers import open_browser, sign_in, use_theme
from tools.command import run
from tools.jobs_page import JobsPageDeployment
from tools.output import print_line
from tools.workspace import CHECKOUT

FOLDER = CHECKOUT / "docs" / "images"
SIZE = {"width": 1440, "height": 900}


def take_pictures(folder: Path, deployment: JobsPageDeployment) -> None:
    """Start *deployment* and write all pictures into *folder*."""
    print_line("Starting two emulators and Airflow")
    deployment.start()
    job_id = _start_jobs(deployment)
    folder.mkdir(parents=True, exist_ok=True)
    print_line(f"Taking pictures into {folder}")
    with open_browser() as browser:
        with _jobs_page(browser, deployment.url, "light") as (page, _):
            _take(page, folder, "jobs-light")
        with _jobs_page(browser, deployment.url, "dark") as (page, _):
            _take(page, folder, "jobs-dark")
        with _jobs_page(browser, deployment.url, "light") as (page, jobs):
            jobs.locator(f'tr[data-job-id="{job_id}"]').get_by_role("button").click()
            jobs.locator("#detail").get_by_role("link").first.wait_for()
            _take(page, folder, "job-running")
            page.keyboard.press("Escape")
            deployment.other.stop()
            jobs.get_by_role("alert").wait_for()
            jobs.get_by_label("Status").select_option("ERROR")
            _take(page, folder, "jobs-error")


def _start_jobs(deployment: JobsPageDeployment) -> str:
    """Start two jobs that stay at the same progress; return the id of the DAG's."""
    jobs, clock = deployment.emulator.jobs, deployment.clock
    _, job_id = deployment.run_dag_until_deferred()
    jobs.stall(job_id, progress=0.62)
    clock.offset = -25 * 60
    jobs.stall(jobs.add(model="soon").id, progress=0.35)
    clock.offset = 0.0
    return job_id


@contextmanager
def _jobs_page(browser: Browser, url: str, theme: str) -> Iterator[tuple[Page, FrameLocator]]:
    """Open the jobs page in an Airflow with this theme."""
    context = browser.new_context(viewport=SIZE, timezone_id="Europe/Berlin", locale="en-GB")  # type: ignore[arg-type]  # it accepts any dictionary
    use_theme(context, theme)
    page = context.new_page()
    sign_in(page, url)
    page.goto(f"{url}/plugin/cortex-jobs")
    jobs = page.frame_locator("iframe")
    jobs.locator("#jobs tbody tr").first.wait_for()
    yield page, jobs
    context.close()


def _take(page: Page, folder: Path, name: str) -> None:
    page.wait_for_timeout(800)  # until all animations have ended
    page.screenshot(path=folder / f"{name}.png")
    print_line(f"  {name}.png")


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve() if sys.argv[1:] else FOLDER
    run(partial(take_pictures, folder), JobsPageDeployment())
