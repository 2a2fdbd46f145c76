"""What the jobs page costs with many jobs: ``python -m benchmarks.page``. It takes Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from playwright.sync_api import Page

from benchmarks import machine
from benchmarks.table import table
from browser.chromium import chromium, sign_in
from browser.deployment import PASSWORD, USER, PageDeployment
from demo.api import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many there are of what."""

    jobs: int
    running: int
    answers: int
    watchers: int
    loads: int


FULL = Size(jobs=500, running=5, answers=50, watchers=10, loads=10)
SMALL = Size(jobs=30, running=5, answers=10, watchers=2, loads=1)
"""So few only show that all of this runs."""

ALLOWED_ANSWER = 0.3
"""Seconds for an answer from what is known."""

ALLOWED_LOAD = 1.0
"""Seconds until the page can be used, once it has been loaded before."""

PAIRS = (("a", "b"), ("c", "d"))

TEXT = """\
## The jobs page

{jobs} jobs in an account, {running} of which run, on a real Airflow with one api-server; the page as Chromium shows it inside
Airflow. **Answer**: from the request for the jobs to the end of what came, by a client that asks {answers} times
one after another; then {watchers} clients that do so at once. **Page**: from the click on its name in the menu until all
rows are there, Airflow itself being loaded; {loads} times. **By itself**: from when Airflow begins to load it."""


def report(size: Size = FULL) -> str:
    """Measure, and return it as Markdown."""
    deployment = PageDeployment()
    try:
        deployment.start()
        return _report(deployment, size)
    finally:
        deployment.end()


def _report(deployment: PageDeployment, size: Size) -> str:
    emulator = deployment.emulator
    known = len(emulator.jobs.all())
    for number in range(known, size.jobs):
        job = emulator.jobs.add(model=f"DB.PUBLIC.MODEL_{number}", pairs=PAIRS)
        if number >= size.jobs - size.running:
            emulator.jobs.stall(job.id)
        else:
            emulator.jobs.describe(job.id)
    before = len(emulator.statements)
    api = _client(deployment)
    first = _seconds(lambda: deployment.wait_for("the jobs", lambda: _all(api, size) or None))
    statements = len(emulator.statements) - before
    alone = [_seconds(lambda: _all(api, size)) for _ in range(size.answers)]
    crowd = _crowd(deployment, size)
    with chromium() as browser:
        page = browser.new_page()
        sign_in(page, deployment.url)
        measured = [
            _seconds_to_load(page, deployment.url, rows=size.jobs) for _ in range(size.loads + 1)
        ]
    loads, own = zip(*measured[1:], strict=True)
    rows = [
        ["answer", *_row(alone, ALLOWED_ANSWER)],
        [f"answer, {size.watchers} at once", *_row(crowd, ALLOWED_ANSWER)],
        ["page", *_row(loads, ALLOWED_LOAD)],
        ["page, by itself", *_row(own, ALLOWED_LOAD)],
    ]
    heads = ("", "median ms", "most ms", "allowed", "median, share of that", "most")
    note = (
        f"The first look at the account took {statements} statements, and {first / median(alone):.0f} times as long"
        " as an answer. Allowed: 1 SHOW and 3 DESCRIBE."
    )
    return "\n\n".join([TEXT.format(**asdict(size)), machine.described(), table(heads, rows), note])


def _client(deployment: PageDeployment) -> Api:
    api = Api(deployment.url, root="/cortex/api")
    api.sign_in(USER, PASSWORD)
    return api


def _all(api: Api, size: Size) -> bool:
    """Return whether the page has all jobs, and what DESCRIBE tells of them."""
    told: dict[str, Any] = api.get("/jobs") or {"accounts": [{"jobs": []}]}
    jobs = told["accounts"][0]["jobs"]
    return len(jobs) == size.jobs and all(job["progress"] is not None for job in jobs)


def _crowd(deployment: PageDeployment, size: Size) -> list[float]:
    """Return how long the answers take, in seconds, if many ask at once."""
    clients = [_client(deployment) for _ in range(size.watchers)]

    def ask(api: Api) -> list[float]:
        return [_seconds(lambda: _all(api, size)) for _ in range(size.answers // size.watchers)]

    with ThreadPoolExecutor(size.watchers) as threads:
        return [seconds for answers in threads.map(ask, clients) for seconds in answers]


def _seconds_to_load(page: Page, url: str, *, rows: int) -> tuple[float, float]:
    """Open the page by the menu; return after how many seconds all rows are there, and how many of them are its own."""
    page.goto(url)
    page.get_by_role("button", name="Browse").click()
    item = page.get_by_role("menuitem", name="Cortex fine-tuning")
    last = page.frame_locator("iframe").locator("#jobs tbody tr").nth(rows - 1)
    began = time.perf_counter()
    item.click()
    last.wait_for()
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
