"""The jobs page as a user sees it inside Airflow."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from tools.browsers import use_theme
from tools.jobs_page import JobsPageDeployment
from tools.rest_api import DagRun

EVIL = '"<script>window.pwned = 1</script><img src=x onerror=window.pwned=1>"'


def row(jobs: FrameLocator, job_id: str) -> Locator:
    """Return a job's row."""
    return jobs.locator(f'tr[data-job-id="{job_id}"]')


@pytest.fixture
def running(deployment: JobsPageDeployment) -> Iterator[str]:
    """Return a running job with 30 % progress."""
    job = deployment.emulator.jobs.add(model="DB.PUBLIC.RUNNER")
    deployment.emulator.jobs.stall(job.id, progress=0.3)
    yield job.id
    deployment.emulator.jobs.cancel(job.id)


@pytest.fixture(scope="session")
def waiting(deployment: JobsPageDeployment) -> tuple[DagRun, str]:
    """Let the example DAG wait for its job; return its run and the job's id."""
    return deployment.run_dag_until_deferred()


def test_the_page_opens_from_the_browse_menu(page: Page) -> None:
    """A signed-in user finds the page, with its jobs, under Browse."""
    page.goto("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Cortex fine-tuning").click()
    jobs = page.frame_locator("iframe")
    expect(jobs.get_by_role("heading", name="Cortex fine-tuning")).to_be_visible()
    expect(jobs.locator("#jobs").get_by_text("CORTEX_DB.PUBLIC.ticket_triage_8")).to_be_visible()


def test_progress_refreshes_without_a_reload(
    running: str, jobs: FrameLocator, deployment: JobsPageDeployment
) -> None:
    """While a job is running, the page refreshes itself, and keeps the focus."""
    bar = row(jobs, running).get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", "30")
    opener = row(jobs, running).get_by_role("button")
    opener.focus()
    jobs.locator("body").evaluate("() => { window.notReloaded = true }")
    deployment.emulator.jobs.stall(running, progress=0.6)
    expect(bar).to_have_attribute("aria-valuenow", "60")
    expect(row(jobs, running)).to_contain_text("left")
    assert jobs.locator("body").evaluate("() => window.notReloaded")
    expect(opener).to_be_focused()
    deployment.emulator.jobs.fail(running, code="E1", message="the data is invalid")
    expect(row(jobs, running)).to_contain_text("the data is invalid")
    expect(bar).to_have_count(0)


def test_jobs_are_filtered_by_status_model_and_time(jobs: FrameLocator) -> None:
    """Filters hide the jobs that do not match, and can be cleared."""
    rows = jobs.locator("#jobs tbody tr:visible")
    total = rows.count()
    jobs.get_by_label("Status").select_option("ERROR")
    for shown in rows.all():
        expect(shown.locator("td[data-status]")).to_have_attribute("data-status", "ERROR")
    failed = rows.count()
    assert 0 < failed < total
    jobs.get_by_label("Status").select_option(index=0)
    jobs.get_by_role("searchbox", name="Model").fill("mail_ROUTER")
    expect(rows).to_have_count(4)
    jobs.get_by_label("Started").select_option(label="Last 30 days")
    expect(rows).to_have_count(2)
    jobs.get_by_role("button", name="Clear filters").click()
    expect(rows).to_have_count(total)


def test_the_chart_shows_each_models_versions(jobs: FrameLocator) -> None:
    """The chart has the losses and tokens of every version; a model can be hidden."""
    chart = jobs.locator("#chart")
    versions = chart.get_by_role("option", name="ticket_triage_", exact=False)
    assert versions.count() >= 8
    expect(versions.first).to_have_attribute("aria-label", _any("validation loss 0."))
    expect(chart).to_contain_text("Trained tokens")
    chart.get_by_role("button", name="TICKET_TRIAGE", exact=False).click()
    expect(versions).to_have_count(0)
    expect(chart.get_by_role("option", name="mail_router", exact=False).first).to_be_visible()


def test_an_unreachable_account_keeps_its_jobs(
    running: str, jobs: FrameLocator, deployment: JobsPageDeployment
) -> None:
    """An unreachable account shows its error and its last known jobs, until it is back."""
    expect(jobs.get_by_text("ADDRESS_BOOK").first).to_be_visible()
    deployment.other.stop()
    try:
        alert = jobs.get_by_role("alert")
        expect(alert).to_contain_text("snowflake_eu", timeout=30_000)
        expect(alert).to_contain_text("could not")
        expect(jobs.get_by_text("ADDRESS_BOOK").first).to_be_visible()
        expect(row(jobs, running)).to_be_visible()
    finally:
        deployment.other.start()
    expect(alert).to_have_count(0, timeout=60_000)


def test_anonymous_users_must_sign_in(browser: Browser, deployment: JobsPageDeployment) -> None:
    """A user without a session is sent to the login, and gets nothing of the page."""
    context = browser.new_context(base_url=deployment.url)
    page = context.new_page()
    page.goto("/plugin/cortex-jobs")
    page.wait_for_url("**/auth/login**")
    for url in ("/cortex/jobs", "/cortex/api/jobs", "/cortex/static/v/page.js"):
        answer = context.request.get(url)
        assert answer.status == 401
        assert "ticket_triage" not in answer.text()
    context.close()


def test_a_job_opens_and_closes_by_keyboard(jobs: FrameLocator, page: Page) -> None:
    """A job's panel, with everything that Cortex reports, needs no mouse."""
    opener = jobs.get_by_role("button", name="PUBLIC.ticket_triage_8")
    opener.focus()
    page.keyboard.press("Enter")
    detail = jobs.locator("#detail")
    expect(detail).to_contain_text("SELECT prompt, completion FROM tickets WHERE week <= 8")
    expect(detail).to_contain_text("SELECT prompt, completion FROM held_out")
    expect(detail).to_contain_text("Validation loss")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    expect(opener).to_be_focused()


def test_tasks_and_jobs_link_to_each_other(page: Page, waiting: tuple[DagRun, str]) -> None:
    """A waiting task links to its job, and the job to the tasks that started or await it."""
    run, job_id = waiting
    dag = run.path.replace("dagRuns", "runs")
    page.goto(f"{dag}/tasks/wait/details")
    # Airflow 3.1 would open it in another tab.
    page.goto(page.get_by_role("link", name="Fine-tuning job").get_attribute("href") or "")
    detail = page.frame_locator("iframe").locator("#detail")
    expect(detail).to_contain_text(job_id)
    tasks = detail.get_by_role("link")
    expect(tasks).to_have_count(2)
    expect(detail).to_contain_text("CortexFineTuneOperator")
    page.reload()
    expect(detail).to_contain_text(job_id)
    tasks.filter(has_text="start").click()
    page.wait_for_url(f"**{dag}/tasks/start**")
    expect(page.get_by_text("CortexFineTuneOperator").first).to_be_visible()
    page.go_back()
    expect(detail).to_contain_text(job_id)


def test_a_link_to_an_unknown_job_explains_itself(page: Page) -> None:
    """For an unknown job the page names the job, the connection, and the setting."""
    page.goto(f"/plugin/cortex-jobs?conn_id=other&job={quote('ft_gone')}")
    detail = page.frame_locator("iframe").locator("#detail")
    for part in ("ft_gone", "other", "jobs_page_conn_ids"):
        expect(detail).to_contain_text(part)


def test_text_from_cortex_is_never_markup(
    running: str, jobs: FrameLocator, deployment: JobsPageDeployment
) -> None:
    """A model named <script> is shown as text, and adds no element to the page."""
    evil = deployment.emulator.jobs.add(model=EVIL)
    answer: dict[str, Any] = {
        "id": evil.id,
        "status": "SUCCESS",
        "model": EVIL,
        "base_model": "<b>bold</b>",
        "training_data": "SELECT '</pre><script>window.pwned = 1</script>'",
        "training_result": {"validation_loss": 0.1, "<img src=x onerror=window.pwned=1>": 2},
        "created_on": evil.created_on,
        "<i>new</i>": "<u>field</u>",
    }
    deployment.emulator.jobs.answer(evil.id, json.dumps(answer))
    opener = row(jobs, evil.id).get_by_role("button")
    expect(opener).to_contain_text("<script>")
    opener.click()
    detail = jobs.locator("#detail")
    expect(detail).to_contain_text("<u>field</u>")
    expect(detail).to_contain_text("</pre><script>")
    assert jobs.locator("body").evaluate("() => window.pwned") is None
    assert jobs.locator("script").count() == 1
    assert jobs.locator("#detail img, #detail u, #detail script, #jobs b, #chart b").count() == 0


@pytest.mark.parametrize("width", [1000, 1400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_layout_fits_airflows_window_and_theme(
    page: Page, width: int, theme: str, running: str
) -> None:
    """In a window of 1000 pixels or more nothing overflows; the theme is Airflow's."""
    page.set_viewport_size({"width": width, "height": 800})
    use_theme(page.context, theme)
    page.goto("/plugin/cortex-jobs")
    jobs = page.frame_locator("iframe")
    expect(row(jobs, running)).to_be_visible()
    root = jobs.locator("html")
    expect(root).to_have_attribute("data-theme", theme)
    assert root.evaluate("root => root.scrollWidth <= root.clientWidth")
    box = jobs.locator("#jobs").evaluate(
        "table => [table.scrollWidth, table.parentElement.clientWidth]"
    )
    assert box[0] <= box[1]
    opener = row(jobs, running).get_by_role("button")
    opener.click()
    panel = jobs.locator("#detail").bounding_box()
    assert panel is not None
    assert panel["x"] + panel["width"] <= width


def _any(part: str) -> Any:
    """Match text that contains *part*."""
    return re.compile(re.escape(part))
