"""The jobs page as somebody sees it who opens it in Airflow."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from browser.deployment import PageDeployment
from demo.api import Run

EVIL = '"<script>window.pwned = 1</script><img src=x onerror=window.pwned=1>"'


def row(jobs: FrameLocator, job_id: str) -> Locator:
    """Return a job's row."""
    return jobs.locator(f'tr[data-job-id="{job_id}"]')


@pytest.fixture
def running(deployment: PageDeployment) -> Iterator[str]:
    """Have a job run, that has come to 30 %."""
    job = deployment.emulator.jobs.add(model="DB.PUBLIC.RUNNER")
    deployment.emulator.jobs.stall(job.id, progress=0.3)
    yield job.id
    deployment.emulator.jobs.cancel(job.id)


@pytest.fixture(scope="session")
def waiting(deployment: PageDeployment) -> tuple[Run, str]:
    """Have the example DAG wait for its job."""
    return deployment.wait_in_dag()


def test_opens_from_the_menu(page: Page) -> None:
    """Somebody who is signed in finds the page under Browse, with the jobs on it."""
    page.goto("/")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Cortex fine-tuning").click()
    jobs = page.frame_locator("iframe")
    expect(jobs.get_by_role("heading", name="Cortex fine-tuning")).to_be_visible()
    expect(jobs.locator("#jobs").get_by_text("CORTEX_DB.PUBLIC.ticket_triage_8")).to_be_visible()


def test_bar_moves_without_a_reload(
    running: str, jobs: FrameLocator, deployment: PageDeployment
) -> None:
    """While a job runs, the page looks again by itself; and it stays where it is, with the focus."""
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
    deployment.emulator.jobs.fail(running, code="E1", message="the data is of no use")
    expect(row(jobs, running)).to_contain_text("the data is of no use")
    expect(bar).to_have_count(0)


def test_filters(jobs: FrameLocator) -> None:
    """Jobs are found by status, by model and by time, and the filters can be cleared."""
    rows = jobs.locator("#jobs tbody tr:visible")
    everything = rows.count()
    jobs.get_by_label("Status").select_option("ERROR")
    for shown in rows.all():
        expect(shown.locator("td[data-status]")).to_have_attribute("data-status", "ERROR")
    failed = rows.count()
    assert 0 < failed < everything
    jobs.get_by_label("Status").select_option(index=0)
    jobs.get_by_role("searchbox", name="Model").fill("mail_ROUTER")
    expect(rows).to_have_count(4)
    jobs.get_by_label("Started").select_option(label="Last 30 days")
    expect(rows).to_have_count(2)
    jobs.get_by_role("button", name="Clear filters").click()
    expect(rows).to_have_count(everything)


def test_chart(jobs: FrameLocator) -> None:
    """Every model's losses are drawn, version by version, and the tokens beside them; a model can be hidden."""
    chart = jobs.locator("#chart")
    versions = chart.get_by_role("img", name="ticket_triage_", exact=False)
    drawn = versions.count()
    assert drawn >= 8
    first = versions.first
    expect(first).to_have_attribute("aria-label", _any("validation loss 0."))
    expect(chart).to_contain_text("Trained tokens")
    chart.get_by_role("button", name="TICKET_TRIAGE", exact=False).click()
    expect(versions).to_have_count(0)
    expect(chart.get_by_role("img", name="mail_router", exact=False).first).to_be_visible()


def test_failing_connection(running: str, jobs: FrameLocator, deployment: PageDeployment) -> None:
    """An account that cannot be reached says so; its jobs, and the other account's, stay there, and it comes back."""
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


def test_anonymous_is_turned_away(browser: Browser, deployment: PageDeployment) -> None:
    """Who is not signed in is asked to do so, and gets nothing of the page."""
    context = browser.new_context(base_url=deployment.url)
    page = context.new_page()
    page.goto("/plugin/cortex-jobs")
    page.wait_for_url("**/auth/login**")
    for url in ("/cortex/jobs", "/cortex/api/jobs", "/cortex/assets/v/page.js"):
        answer = context.request.get(url)
        assert answer.status == 401
        assert "ticket_triage" not in answer.text()
    context.close()


def test_detail_by_keyboard(jobs: FrameLocator, page: Page) -> None:
    """A job opens to all that Cortex tells of it, and closes again, without a mouse."""
    opener = jobs.get_by_role("button", name="ticket_triage_8")
    opener.focus()
    page.keyboard.press("Enter")
    detail = jobs.locator("#detail")
    expect(detail).to_contain_text("SELECT prompt, completion FROM tickets WHERE week <= 8")
    expect(detail).to_contain_text("SELECT prompt, completion FROM held_out")
    expect(detail).to_contain_text("Validation loss")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    expect(opener).to_be_focused()


def test_from_task_to_job_and_back(page: Page, waiting: tuple[Run, str]) -> None:
    """A task that waits links to its job, and the job to the tasks that started it and wait for it."""
    run, job_id = waiting
    dag = run.path.replace("dagRuns", "runs")
    page.goto(f"{dag}/tasks/wait/details")
    page.get_by_role("link", name="Fine-tuning job").click()
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


def test_job_that_is_gone(page: Page) -> None:
    """A link to a job that the page does not know says which, and where it was looked for."""
    page.goto(f"/plugin/cortex-jobs?conn_id=other&job={quote('ft_gone')}")
    said = page.frame_locator("iframe").locator("#detail")
    for part in ("ft_gone", "other", "jobs_page_conn_ids"):
        expect(said).to_contain_text(part)


def test_what_cortex_sent_is_shown_and_not_run(
    running: str, jobs: FrameLocator, deployment: PageDeployment
) -> None:
    """A model called <script> is shown under that name; nothing of it becomes part of the page."""
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
def test_layout(page: Page, width: int, theme: str, running: str) -> None:
    """Inside Airflow, in a window of 1000 pixels too, nothing sticks out, in the theme that Airflow has."""
    page.set_viewport_size({"width": width, "height": 800})
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
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
    """Match text that has this in it."""
    return re.compile(re.escape(part))
