"""``python -m benchmarks.jobs_page``: measure the jobs page with many jobs. It needs Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from playwright.sync_api import Page

from benchmarks import machine
from tools.browsers import open_browser, sign_in
from tools.jobs_page import PASSWORD, USER, JobsPageDeployment
from tools.output import markdown_table, print_line
from tools.rest_api import RestApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of the benchmark."""

    jobs: int
    running: int
    """Of the jobs."""
    answers: int
    """Requests for all jobs."""
    clients: int
    """That send requests at the same time."""
    loads: int
    """Of the page, in Chromium."""


FULL = Size(jobs=500, running=5, answers=50, clients=10, loads=10)
SMALL = Size(jobs=110, running=5, answers=10, clients=2, loads=1)
"""A size that only shows that everything runs."""

ROWS = 100
"""The most rows that the page shows at a time."""

ALLOWED_ANSWER = 0.3
"""Seconds for an answer from the cache."""

ALLOWED_LOAD = 1.0
"""Seconds until the page is usable, after the first load."""

PAIRS = (("a", "b"), ("c", "d"))

TEXT = """\
## The jobs page

{jobs} jobs in an account, {running} of them running, on a real Airflow with one API server.
Chromium shows the page inside Airflow. **Answer**: from the request for the jobs to the end of the
response, {answers} times one after another; then for {clients} clients at the same time.
**Page**: from the click on its menu entry until {rows} rows are visible, with Airflow itself already
loaded; {loads} times. **By itself**: from the moment that Airflow begins to load it."""


def report(size: Size = FULL) -> str:
    """Measure, and return the results as Markdown."""
    deployment = JobsPageDeployment()
    try:
        deployment.start()
        return _report(deployment, size)
    finally:
        deployment.stop()


def _report(deployment: JobsPageDeployment, size: Size) -> str:
    _add_jobs(deployment, size)
    emulator = deployment.emulator
    statements_before = len(emulator.statements)
    api = _sign_in(deployment)
    first = _seconds(lambda: deployment.wait_for("the jobs", lambda: _has_all(api, size) or None))
    statements = len(emulator.statements) - statements_before
    one_client = [_seconds(lambda: _has_all(api, size)) for _ in range(size.answers)]
    many_clients = _answer_many_clients(deployment, size)
    with open_browser() as browser:
        page = browser.new_page()
        sign_in(page, deployment.url)
        measured = [
            _seconds_to_load(page, deployment.url, rows=min(ROWS, size.jobs))
            for _ in range(size.loads + 1)
        ]
    loads, own_loads = zip(*measured[1:], strict=True)
    rows = [
        ["answer", *_row(one_client, ALLOWED_ANSWER)],
        [f"answer, {size.clients} at once", *_row(many_clients, ALLOWED_ANSWER)],
        ["page", *_row(loads, ALLOWED_LOAD)],
        ["page, by itself", *_row(own_loads, ALLOWED_LOAD)],
    ]
    heads = ("", "median ms", "max ms", "allowed", "median, share of that", "max")
    note = (
        f"The first answer took {statements} statements, and {first / median(one_client):.0f} times"
        " as long as a later one. Allowed: 1 SHOW and 3 DESCRIBE."
    )
    text = TEXT.format(rows=ROWS, **asdict(size))
    return "\n\n".join([text, machine.description(), markdown_table(heads, rows), note])


def _add_jobs(deployment: JobsPageDeployment, size: Size) -> None:
    jobs = deployment.emulator.jobs
    for number in range(len(jobs.all()), size.jobs):
        job = jobs.add(model=f"DB.PUBLIC.MODEL_{number}", pairs=PAIRS)
        if number >= size.jobs - size.running:
            jobs.stall(job.id)
        else:
            jobs.describe(job.id)


def _sign_in(deployment: JobsPageDeployment) -> RestApi:
    api = RestApi(deployment.url, root="/cortex/api")
    api.sign_in(USER, PASSWORD)
    return api


def _has_all(api: RestApi, size: Size) -> bool:
    """Request the jobs; return whether all of them came, with what DESCRIBE returns."""
    answer: dict[str, Any] = api.get("/jobs") or {"accounts": [{"jobs": []}]}
    jobs = answer["accounts"][0]["jobs"]
    return len(jobs) == size.jobs and all(job["progress"] is not None for job in jobs)


def _answer_many_clients(deployment: JobsPageDeployment, size: Size) -> list[float]:
    """Return the seconds that each answer takes with many clients at the same time."""
    clients = [_sign_in(deployment) for _ in range(size.clients)]

    def measure(api: RestApi) -> list[float]:
        requests = range(size.answers // size.clients)
        return [_seconds(lambda: _has_all(api, size)) for _ in requests]

    with ThreadPoolExecutor(size.clients) as threads:
        return [seconds for answers in threads.map(measure, clients) for seconds in answers]


def _seconds_to_load(page: Page, url: str, *, rows: int) -> tuple[float, float]:
    """Open the page from the menu; return the seconds until so many rows show, and its own share."""
    page.goto(url)
    page.get_by_role("button", name="Browse").click()
    item = page.get_by_role("menuitem", name="Cortex fine-tuning")
    last = page.frame_locator("iframe").locator("#jobs tbody tr").nth(rows - 1)
    began_at = time.perf_counter()
    item.click()
    last.wait_for()
    own: float = page.frames[-1].evaluate("() => performance.now()") / 1000
    return time.perf_counter() - began_at, own


def _seconds(call: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    call()
    return time.perf_counter() - began_at


def _row(seconds: Sequence[float], allowed: float) -> list[str]:
    return [
        f"{1000 * median(seconds):.0f}",
        f"{1000 * max(seconds):.0f}",
        f"{1000 * allowed:.0f}",
        f"{median(seconds) / allowed:.2f}",
        f"{max(seconds) / allowed:.2f}",
    ]


if __name__ == "__main__":
    print_line(report())
