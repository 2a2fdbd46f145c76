"""The page's web application: what it answers, and to whom."""

import re
import time
from html import unescape
from urllib.parse import parse_qs

import pytest
from airflow.api_fastapi.app import get_auth_manager
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from airflow_provider_cortex.emulator import Emulator, Life
from tests.page.client import accounts, detail, script_url, signed_in


def test_jobs_have_their_progress_and_their_models(
    browser: TestClient, cortex_emulator: Emulator
) -> None:
    """The page has the account's jobs with the fields that DESCRIBE reports."""
    done = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.life = Life.by_looks(4)
    running = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.jobs.describe(running.id)
    (account,) = accounts(browser)
    assert account["conn_id"] == "snowflake_default"
    assert (account["error"], account["is_missing"]) == (None, False)
    assert abs(account["as_of"] / 1000 - time.time()) < 30
    jobs = {job["id"]: job for job in account["jobs"]}
    assert jobs[running.id]["status"] == "IN_PROGRESS"
    assert jobs[running.id]["progress"] == 0.25
    assert jobs[done.id]["model"] == "triage"
    assert jobs[done.id]["is_finished"]
    assert {job["base_model"] for job in jobs.values()} == {"llama3.1-8b"}


def test_a_job_is_found_before_its_list_was_requested(
    browser: TestClient, cortex_emulator: Emulator
) -> None:
    """A process of the api-server finds a job even if another process served the list."""
    job = cortex_emulator.jobs.add(model="triage")
    assert detail(browser, job.id)["record"]["model"] == "triage"


def test_text_that_is_not_unicode_is_served(browser: TestClient, cortex_emulator: Emulator) -> None:
    """A lone surrogate in Cortex's answer reaches the browser as JSON."""
    job = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.jobs.answer(
        job.id, f'{{"id": "{job.id}", "status": "SUCCESS", "model": "\\ud800"}}'
    )
    (account,) = accounts(browser)
    assert account["jobs"][0]["model"] == "\ud800"


@pytest.mark.parametrize("conn_id", ["snowflake_default", "snowflake_other"])
def test_an_unknown_job_is_not_found(conn_id: str, browser: TestClient) -> None:
    """For an unknown job or connection the answer is 404, and names both."""
    accounts(browser)
    answer = browser.get("/api/job", params={"conn_id": conn_id, "job_id": "ft_1"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"The page has no fine-tuning job ft_1 of {conn_id}."


def test_a_job_is_not_missing_before_snowflake_answers(
    browser: TestClient, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Snowflake has answered, the page is asked to retry."""
    monkeypatch.setattr("airflow_provider_cortex.page.app.FIRST_POLL_WAIT_SECONDS", 0.01)
    job = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.faults.add("hang", at="statement")
    query = {"conn_id": "snowflake_default", "job_id": job.id}
    answer = browser.get("/api/job", params=query)
    assert answer.status_code == 503
    assert "has not answered yet" in answer.json()["detail"]
    cortex_emulator.faults.clear()
    accounts(browser)
    assert browser.get("/api/job", params=query).status_code == 200


def test_every_route_needs_a_session_and_a_permission(browser: TestClient) -> None:
    """All routes reject users without a session or the permission, and change nothing."""
    app = browser.app
    routes = app.routes  # type: ignore[attr-defined]
    assert len(routes) == 5
    for route in routes:
        assert isinstance(route, APIRoute)
        assert route.methods == {"GET"}
        url = script_url(browser) if "{name}" in route.path else route.path
        query = "?conn_id=snowflake_default&job_id=ft_1" if "job_id" in str(route.dependant) else ""
        anonymous = TestClient(app).get(url + query)
        assert anonymous.status_code == 401, url
        without_role = TestClient(app, headers=signed_in(None)).get(url + query)
        assert without_role.status_code == 403, url
        forged = TestClient(app, headers={"Cookie": "_token=forged"}).get(url + query)
        assert forged.status_code == 401, url
        allowed = browser.get(url + query, follow_redirects=False).status_code
        assert allowed == {"/job": 307, "/api/job": 404}.get(url, 200), url


HEADERS = (
    "Content-Security-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "Cache-Control",
)

ANSWERS: dict[str, tuple[str, str, int]] = {
    "the page": ("GET", "/jobs", 200),
    "the jobs": ("GET", "/api/jobs", 200),
    "a link": ("GET", "/job?conn_id=c&job=ft_1", 307),
    "an unknown path": ("GET", "/nothing", 404),
    "a path with a final slash": ("GET", "/jobs/", 404),
    "an unknown file": ("GET", "/static/1/nothing.js", 404),
    "an unknown job": ("GET", "/api/job?conn_id=nobody&job_id=ft_1", 404),
    "another method": ("POST", "/api/jobs", 405),
    "a missing parameter": ("GET", "/api/job", 422),
    "an invalid parameter": ("GET", "/api/jobs?refresh=perhaps", 422),
}


@pytest.mark.parametrize("which", ANSWERS)
def test_every_answer_has_the_same_security_headers(which: str, browser: TestClient) -> None:
    """Errors have them, too, and say in JSON what happened."""
    method, url, status = ANSWERS[which]
    answer = browser.request(method, url, follow_redirects=False)
    assert answer.status_code == status
    for name in HEADERS:
        assert len(answer.headers.get_list(name)) == 1, name
    if status >= 400:
        assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("role", ["no session", None])
def test_a_rejected_viewer_s_answer_has_them_too(role: str | None, browser: TestClient) -> None:
    """Without a session or the permission, no answer of the page lacks the headers."""
    rejected = TestClient(browser.app, headers={} if role else signed_in(role)).get("/api/jobs")
    assert rejected.status_code == (401 if role else 403)
    assert rejected.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in rejected.headers["Content-Security-Policy"]


def test_a_bug_is_answered_in_json(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Airflow's auth manager fails, the answer shows nothing of the error, and has the headers."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(type(get_auth_manager()), "is_authorized_view", fail)
    client = TestClient(browser.app, headers=signed_in("VIEWER"), raise_server_exceptions=False)
    answer = client.get("/api/jobs")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "The page failed: the API server's log has the error."}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_missing_permission_is_named(browser: TestClient) -> None:
    """The answer to a viewer who may not see plugins has the words of both auth managers."""
    answer = TestClient(browser.app, headers=signed_in(None)).get("/api/jobs")
    detail = answer.json()["detail"]
    assert "permission to view Airflow's plugins" in detail
    assert '"can read on Plugins"' in detail
    assert "SimpleAuthManager" in detail


LINK = "/job?conn_id=snowflake_default&job=ft_%3C1%3E"
"""The path of a task's link, in the page's application."""

NAVIGATION = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_task_s_link_leads_to_the_page(browser: TestClient) -> None:
    """Airflow's interface shows the page and, by the query, the job."""
    answer = browser.get(LINK, headers=NAVIGATION, follow_redirects=False)
    assert answer.headers["Location"] == (
        "../plugin/cortex-jobs?conn_id=snowflake_default&job=ft_%3C1%3E"
    )


def test_a_task_s_link_says_which_permission_is_missing(browser: TestClient) -> None:
    """A viewer who may not see plugins reads so, instead of Airflow's page for a wrong address."""
    answer = TestClient(browser.app, headers=signed_in(None) | NAVIGATION).get(LINK)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "permission to view Airflow&#x27;s plugins" in answer.text


@pytest.mark.parametrize(("url", "depth"), [(LINK, 1), ("/api/jobs", 2)])
def test_a_browser_without_a_session_gets_a_link_to_log_in(
    url: str, depth: int, browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who opens an address without a session can log in, and then sees the job."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team")
    answer = TestClient(browser.app, headers=NAVIGATION).get(url)
    assert answer.status_code == 401
    (login,) = re.findall('href="([^"]*)"', answer.text)
    path, _, query = unescape(login).partition("?")
    assert path == f"{'../' * depth}api/v2/auth/login"
    (target,) = parse_qs(query)["next"]
    assert target.startswith("https://airflow.example.com/team/plugin/cortex-jobs")
    assert ("job=ft_%3C1%3E" in target) == (url == LINK)


def test_browsers_cache_static_files_by_their_version(browser: TestClient) -> None:
    """Browsers keep a static file for its versioned URL, and nothing else."""
    script = browser.get(script_url(browser))
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in script.headers["Cache-Control"]
    assert browser.get("/static/another/missing.js").status_code == 404
    for url in ("/jobs", "/api/jobs", "/static/another/page.js"):
        assert browser.get(url).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "url", ["/", "/docs", "/redoc", "/openapi.json", "/static/", "/static/../app.py"]
)
def test_nothing_else_is_served(url: str, browser: TestClient) -> None:
    """There is no API documentation, and no file but the page's own."""
    assert browser.get(url).status_code == 404


def test_the_policy_forbids_other_origins_and_inline_scripts(browser: TestClient) -> None:
    """The page loads nothing from elsewhere, and runs only the scripts served here."""
    page = browser.get("/jobs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in page.text.replace("<!doctype html>", "")
