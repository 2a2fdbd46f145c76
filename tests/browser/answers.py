"""The answers that the page gets from its back end, changed on their way."""

from collections.abc import Callable
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
