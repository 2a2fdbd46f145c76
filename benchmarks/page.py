"""What the jobs page costs with many jobs: ``python -m benchmarks.page``. It takes Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from playwright.sync_api import Page

from benchmarks import machine
from benchmarks.table import table
from browser.chromium import chromium, sign_in
from browser.deployment import PASSWORD, USER, PageDeployment
from demo.api import Api

JOBS = 500
RUNNING = 5
ANSWERS = 50
WATCHERS = 10
LOADS = 10

ALLOWED_ANSWER = 0.3
"""Seconds for an answer from what is known."""

ALLOWED_LOAD = 1.0
"""Seconds until the page can be used, once it has been loaded before."""

PAIRS = (("a", "b"), ("c", "d"))

TEXT = f"""\
## The jobs page

{JOBS} jobs in an account, {RUNNING} of which run, on a real Airflow with one api-server; the page as Chromium shows it inside
Airflow. **Answer**: from the request for the jobs to the end of what came, by a client that asks {ANSWERS} times
one after another; then {WATCHERS} clients that do so at once. **Page**: from the click on its name in the menu until all
rows are there, Airflow itself being loaded; {LOADS} times. **By itself**: from when Airflow begins to load it."""


def report() -> str:
    """Measure, and return it as Markdown."""
    deployment = PageDeployment()
    try:
        deployment.start()
        return _report(deployment)
    finally:
        deployment.end()


def _report(deployment: PageDeployment) -> str:
    emulator = deployment.emulator
    known = len(emulator.jobs.all())
    for number in range(known, JOBS):
        job = emulator.jobs.add(model=f"DB.PUBLIC.MODEL_{number}", pairs=PAIRS)
        if number >= JOBS - RUNNING:
            emulator.jobs.stall(job.id)
        else:
            emulator.jobs.describe(job.id)
    before = len(emulator.statements)
    api = _client(deployment)
    first = _seconds(lambda: deployment.wait_for("the jobs", lambda: _all(api) or None))
    statements = len(emulator.statements) - before
    alone = [_seconds(lambda: _all(api)) for _ in range(ANSWERS)]
    crowd = _crowd(deployment)
    with chromium() as browser:
        page = browser.new_page()
        sign_in(page, deployment.url)
        measured = [_seconds_to_load(page, deployment.url) for _ in range(LOADS + 1)]
    loads, own = zip(*measured[1:], strict=True)
    rows = [
        ["answer", *_row(alone, ALLOWED_ANSWER)],
        [f"answer, {WATCHERS} at once", *_row(crowd, ALLOWED_ANSWER)],
        ["page", *_row(loads, ALLOWED_LOAD)],
        ["page, by itself", *_row(own, ALLOWED_LOAD)],
    ]
    heads = ("", "median ms", "most ms", "allowed", "median, share of that", "most")
    note = (
        f"The first look at the account took {statements} statements, and {first / median(alone):.0f} times as long"
        " as an answer. Allowed: 1 SHOW and 3 DESCRIBE."
    )
    return "\n\n".join([TEXT, machine.described(), table(heads, rows), note])


def _client(deployment: PageDeployment) -> Api:
    api = Api(deployment.url, root="/cortex/api")
    api.sign_in(USER, PASSWORD)
    return api


def _all(api: Api) -> bool:
    """Return whether the page has all jobs, and what DESCRIBE tells of them."""
    told: dict[str, Any] = api.get("/jobs") or {"accounts": [{"jobs": []}]}
    jobs = told["accounts"][0]["jobs"]
    return len(jobs) == JOBS and all(job["progress"] is not None for job in jobs)


def _crowd(deployment: PageDeployment) -> list[float]:
    """Return how long the answers take, in seconds, if many ask at once."""
    clients = [_client(deployment) for _ in range(WATCHERS)]

    def ask(api: Api) -> list[float]:
        return [_seconds(lambda: _all(api)) for _ in range(ANSWERS // WATCHERS)]

    with ThreadPoolExecutor(WATCHERS) as threads:
        return [seconds for answers in threads.map(ask, clients) for seconds in answers]


def _seconds_to_load(page: Page, url: str) -> tuple[float, float]:
    """Open the page by the menu; return after how many seconds all rows are there, and how many of them are its own."""
    page.goto(url)
    page.get_by_role("button", name="Browse").click()
    item = page.get_by_role("menuitem", name="Cortex fine-tuning")
    rows = page.frame_locator("iframe").locator("#jobs tbody tr")
    began = time.perf_counter()
    item.click()
    rows.nth(JOBS - 1).wait_for()
    own: float = page.frames[-1].evaluate("() => performance.now()") / 1000
    return time.perf_counter() - began, own


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _row(seconds: Sequence[float], allowed: float) -> list[str]:
    return [
        f"{1000 * median(seconds):.0f}",
        f"{1000 * max(seconds):.0f}",
        f"{1000 * allowed:.0f}",
        f"{median(seconds) / allowed:.2f}",
        f"{max(seconds) / allowed:.2f}",
    ]


if __name__ == "__main__":
    print(report())  # noqa: T201 - it is a command
