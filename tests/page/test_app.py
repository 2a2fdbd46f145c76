"""The page's web application: what it answers, and to whom."""

import time

import pytest
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
    assert len(routes) == 4
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
        assert forged.status_code in {401, 403}, url
        assert browser.get(url + query).status_code == (404 if query else 200), url


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
