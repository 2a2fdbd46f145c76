"""The answers that the page gets from its back end, changed on their way."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from playwright.sync_api import Page, Route

Answer = dict[str, Any]

JOBS = "**/cortex/api/jobs*"


def change_answers(page: Page, change: Callable[[Answer], Answer]) -> None:
    """Have *change* decide what the page gets as the list of jobs, from now on."""

    def handle(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=change(response.json()))

    page.unroute(JOBS)
    page.route(JOBS, handle)


def with_jobs(answer: Answer, count: int) -> Answer:
    """Return an answer with *count* jobs in its first account: copies of those that it has."""
    changed = deepcopy(answer)
    jobs = changed["accounts"][0]["jobs"]
    copies = [{**jobs[at % len(jobs)], "id": f"ft_{at:08}"} for at in range(count - len(jobs))]
    jobs.extend(copies)
    return changed
