"""What the page says when it has no jobs, or cannot get them, and how users go on from there."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import FrameLocator, Page, Route, expect

from tools.jobs_page import PASSWORD, USER

API = "**/cortex/api/jobs*"
MINUTE = 60_000
SENTENCE = "Snowflake rejected the login with connection 'snowflake_default'."
LOGIN_ERROR: dict[str, Any] = {
    "error": SENTENCE,
    "error_details": f"250001 (08001): Incorrect username or password. {'trace ' * 1000}",
    "error_hint": "Change the connection and press Refresh, or wait.",
    "is_login_rejected": True,
}
UNANSWERED: dict[str, Any] = {"jobs": [], "as_of": None}
JOB = {
    "id": "ft_6556e15c-8f12-4d94-8cb0-87e6f2fd2299",
    "status": "SUCCESS",
    "is_finished": True,
    "model": "DB.PUBLIC.TRIAGE",
    "family": "DB.PUBLIC.TRIAGE",
    "base_model": "llama3.1-8b",
    "created_on": 1_790_000_000_000,
}


@pytest.fixture
def window(page: Page) -> Page:
    """Open a window in which the browser may log failed requests."""
    window = page.context.new_page()
    window.set_default_timeout(15_000)
    return window


def answer(page: Page, **account: Any) -> None:
    """Let the API answer with one account, whose poll has succeeded unless *account* differs."""
    now = round(time.time() * 1000)
    usual = {"conn_id": "snowflake_default", "as_of": now, "is_complete": True, "jobs": [JOB]}
    page.unroute(API)
    page.route(API, lambda route: route.fulfill(json=jobs_answer(usual | account)))


def jobs_answer(*accounts: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of the API."""
    return {"now": round(time.time() * 1000), "refresh_seconds": 1, "accounts": accounts}


def show(page: Page) -> Page:
    """Open the page outside Airflow's interface, which takes longer."""
    page.goto("/cortex/jobs")
    return page


def press_refresh(jobs: Page | FrameLocator) -> None:
    """Press the button."""
    jobs.get_by_role("button", name="Refresh").click()


def test_an_error_is_a_sentence_with_the_drivers_text_folded(page: Page) -> None:
    """The driver's text stays folded until a user opens it, and open while errors go on."""
    answer(page, **LOGIN_ERROR, retry_at=round(time.time() * 1000) + 14 * MINUTE)
    jobs = show(page)
    expect(jobs.get_by_role("alert")).to_have_text(SENTENCE)
    message = jobs.locator("#messages")
    expect(message).to_contain_text("Change the connection and press Refresh, or wait.")
    expect(message).to_contain_text("The next login is at")
    expect(message).to_contain_text("The jobs shown here are from")
    driver = message.get_by_text("Incorrect username")
    expect(driver).to_be_hidden()
    message.get_by_text("Details").click()
    expect(driver).to_be_visible()
    assert len(driver.inner_text()) <= 2050
    with page.expect_response(API):
        press_refresh(jobs)
    expect(driver).to_be_visible()


def test_only_the_refresh_button_tries_a_refused_login_again(page: Page) -> None:
    """Requests that the page sends by itself never ask for a login."""
    answer(page, **LOGIN_ERROR)
    queries: list[dict[str, list[str]]] = []
    page.on("request", lambda request: queries.append(parse_qs(urlsplit(request.url).query)))
    jobs = show(page)
    with page.expect_request(API):
        expect(jobs.get_by_role("alert")).to_be_visible()
    assert not any("refresh" in query for query in queries)
    with page.expect_request("**/cortex/api/jobs?refresh=true"):
        press_refresh(jobs)


def test_a_session_that_ended_leads_to_the_login_and_back(window: Page) -> None:
    """After the login users are where they were, with their filters."""
    window.goto("/plugin/cortex-jobs?status=ERROR")
    jobs = window.frame_locator("iframe")
    rows = jobs.locator("#jobs tbody tr:visible")
    expect(rows.first).to_be_visible()
    window.context.clear_cookies()
    press_refresh(jobs)
    expect(jobs.get_by_role("alert")).to_have_text("Your Airflow session has ended.")
    jobs.get_by_role("link", name="Log in again").click()
    window.wait_for_url("**/auth/login**")
    window.get_by_label("Username").press_sequentially(USER)
    window.get_by_label("Password").press_sequentially(PASSWORD)
    window.get_by_role("button", name="Sign in").click()
    window.wait_for_url("**/plugin/cortex-jobs**")
    expect(rows.first).to_be_visible()
    expect(jobs.get_by_label("Status")).to_have_value("ERROR")
    expect(jobs.get_by_role("alert")).to_have_count(0)


FORBIDDEN = "You may not see the jobs: you lack the permission to view plugins."
FAILURES: dict[str, tuple[Callable[[Route], None], str]] = {
    "403": (
        lambda route: route.fulfill(status=403, json={"detail": f"{FORBIDDEN} Op has it."}),
        FORBIDDEN,
    ),
    "403 of Airflow": (
        lambda route: route.fulfill(status=403, json={"detail": "Forbidden"}),
        "You may not see this page's jobs.",
    ),
    "404": (
        lambda route: route.fulfill(status=404, json={"detail": "Not Found"}),
        "Airflow's answer is not one for this page (HTTP status 404).",
    ),
    "a proxy's page": (
        lambda route: route.fulfill(body="<h1>Welcome</h1>", content_type="text/html"),
        "Airflow's answer is not one for this page (HTTP status 200).",
    ),
    "another version's answer": (
        lambda route: route.fulfill(json={"jobs": []}),
        "The page cannot read Airflow's answer.",
    ),
    "502": (
        lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"),
        "Airflow's API server failed (HTTP status 502).",
    ),
    "no answer": (lambda route: route.abort(), "Airflow does not answer."),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_request_explains_itself_and_can_be_repeated(window: Page, failure: str) -> None:
    """Each failure has a sentence and an advice, keeps the jobs, and ends with Refresh."""
    respond, sentence = FAILURES[failure]
    jobs = show(window)
    first = jobs.locator("#jobs tbody tr").first
    expect(first).to_be_visible()
    window.route(API, respond)
    press_refresh(jobs)
    expect(jobs.get_by_role("alert")).to_have_text(sentence)
    expect(jobs.locator("#messages .hint")).not_to_be_empty()
    expect(first).to_be_visible()
    window.unroute(API)
    press_refresh(jobs)
    expect(jobs.get_by_role("alert")).to_have_count(0)


def test_loading_is_no_error(page: Page) -> None:
    """Until Snowflake has answered, the page says that it is loading, and not that it has none."""
    answer(page, **UNANSWERED, is_loading=True)
    jobs = show(page)
    expect(jobs.get_by_text("Loading the jobs of snowflake_default …")).to_be_visible()
    expect(jobs.get_by_role("alert")).to_have_count(0)
    expect(jobs.get_by_text("no fine-tuning jobs")).to_have_count(0)


def test_an_account_without_jobs_says_why_and_what_to_do(page: Page) -> None:
    """An empty list may also come from a role that sees nothing."""
    answer(page, jobs=[])
    nothing = show(page).locator("#nothing")
    expect(nothing).to_contain_text("Snowflake lists no fine-tuning jobs for snowflake_default.")
    expect(nothing).to_contain_text("role")
    expect(nothing).to_contain_text("CortexFineTuneOperator")


def test_a_missing_connection_names_the_setting(page: Page) -> None:
    """A connection that Airflow does not have is created, or taken out of the setting."""
    answer(page, **UNANSWERED, is_missing=True)
    message = show(page).locator("#messages")
    expect(message).to_contain_text("Airflow has no connection “snowflake_default”.")
    expect(message).to_contain_text("jobs_page_conn_ids")


def test_without_a_connection_the_page_says_how_to_add_one(page: Page) -> None:
    """An empty setting is explained, and is not an account without jobs."""
    page.route(API, lambda route: route.fulfill(json=jobs_answer()))
    jobs = show(page)
    expect(jobs.locator("#messages")).to_contain_text("No connection is configured for this page.")
    expect(jobs.locator("#messages")).to_contain_text("restart")
    expect(jobs.locator("#nothing")).to_be_empty()
