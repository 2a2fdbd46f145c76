"""What axe-core reports about the page."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser.answers import JOBS, Answer, change_answers
from tests.browser.test_panel import EVALUATION, answer_detail
from tools.browsers import use_theme
from tools.jobs_page import JobsPageDeployment


def with_errors(answer: Answer) -> Answer:
    """Return an answer whose accounts show each kind of message."""
    changed = deepcopy(answer)
    failed, missing = changed["accounts"]
    failed.update(
        error="Snowflake rejected the login of the connection snowflake_default.",
        error_details="250001 (08001): Failed to connect to DB. " * 20,
        error_hint="Change the connection and press Refresh.",
        retry_at=changed["now"] + 900_000,
        is_login_rejected=True,
    )
    missing.update(is_missing=True, jobs=[], as_of=None)
    return changed


def with_scores(answer: Answer) -> Answer:
    """Return an answer in which each model has a score."""
    models = [job["model"] for account in answer["accounts"] for job in account["jobs"]]
    return {**answer, "scores": [(model, 0.9) for model in models if model]}


def without_accounts(answer: Answer) -> Answer:
    """Return an answer of an Airflow without connections."""
    return {**answer, "accounts": []}


def while_loading(answer: Answer) -> Answer:
    """Return an answer before the first one of Snowflake."""
    nothing: Answer = {"jobs": [], "as_of": None, "is_loading": True}
    return {**answer, "accounts": [{**each, **nothing} for each in answer["accounts"]]}


@pytest.fixture(params=["light", "dark", "forced colours"])
def themed(
    request: pytest.FixtureRequest,
    browser: Browser,
    deployment: JobsPageDeployment,
    session: dict[str, object],
) -> Iterator[Page]:
    """Open a window with a theme, or with the colours that a user forces on all pages."""
    is_forced = request.param == "forced colours"
    if is_forced:
        request.getfixturevalue("forced_colours")
    context = browser.new_context(
        storage_state=session,  # type: ignore[arg-type]  # Playwright's own format
        base_url=deployment.url,
        viewport={"width": 1440, "height": 900},
        **({"forced_colors": "active"} if is_forced else {}),  # type: ignore[arg-type]  # it is known
    )
    use_theme(context, "light" if is_forced else request.param)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def violations(page: Page) -> list[str]:
    """Return what axe reports about the page inside Airflow."""
    (frame,) = (each for each in page.frames if each is not page.main_frame)
    report = Axe().run(frame).response
    return [
        f"{rule['id']}: {node['html']} {node['failureSummary']}"
        for rule in report["violations"]
        for node in rule["nodes"]
    ]


def show_list(jobs: FrameLocator) -> None:
    """Show all jobs, as the page does when it opens."""
    expect(jobs.locator("#jobs tbody tr").first).to_be_visible()


def open_finished_job(jobs: FrameLocator) -> None:
    """Open the panel of a finished job."""
    jobs.get_by_role("button", name="PUBLIC.ticket_triage_8").first.click()
    expect(jobs.locator("#detail")).to_contain_text("Validation loss")


def show_nothing(jobs: FrameLocator) -> None:
    """Set a filter that no job matches."""
    jobs.get_by_role("searchbox").fill("no such model")
    expect(jobs.locator("#jobs tbody tr:visible")).to_have_count(0)


STATES: dict[str, Callable[[FrameLocator], None]] = {
    "the list": show_list,
    "an open job": open_finished_job,
    "a filter without result": show_nothing,
}

ANSWERS: dict[str, tuple[Callable[[Answer], Answer], str]] = {
    "errors": (with_errors, "rejected the login"),
    "no accounts": (without_accounts, "No connection is configured"),
    "loading": (while_loading, "Loading"),
}


def test_axe_reports_nothing_in_any_state(themed: Page) -> None:
    """In every state, theme and colour, axe-core finds no violation."""
    found: dict[str, Any] = {}
    jobs = themed.frame_locator("iframe")
    themed.goto("/plugin/cortex-jobs")
    for state, reach in STATES.items():
        reach(jobs)
        found[state] = violations(themed)
    change_answers(themed, with_scores)
    answer_detail(themed, evaluations=[EVALUATION])
    themed.goto("/plugin/cortex-jobs")
    open_finished_job(jobs)
    expect(jobs.locator("#detail")).to_contain_text("0.930 over")
    expect(jobs.locator("#chart")).to_contain_text("Score")
    found["an evaluated job"] = violations(themed)
    for state, (change, text) in ANSWERS.items():
        change_answers(themed, change)
        themed.goto("/plugin/cortex-jobs")
        expect(jobs.locator("#messages")).to_contain_text(text)
        for summary in jobs.locator("#messages summary:visible").all():
            summary.click()
        found[state] = violations(themed)
    themed.route(JOBS, lambda route: route.fulfill(status=401, json={"detail": "Log in again."}))
    themed.goto("/plugin/cortex-jobs")
    expect(jobs.locator("#messages")).to_contain_text("session has ended")
    found["an ended session"] = violations(themed)
    assert {state: rules for state, rules in found.items() if rules} == {}
