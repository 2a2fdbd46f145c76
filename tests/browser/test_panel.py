"""The panel with a job's details: what it shows, what it copies, and where the focus goes."""

import re
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, ViewportSize, expect

from tests.browser.answers import JOBS, change_answers

JOB = "**/cortex/api/job?*"
MODEL = "ticket_triage_8"
WIDE: ViewportSize = {"width": 1700, "height": 900}
NARROW: ViewportSize = {"width": 800, "height": 700}


def opener(jobs: FrameLocator) -> Locator:
    """Return the button that opens the job."""
    return jobs.locator("#jobs").get_by_role("button", name=MODEL)


def open_panel(jobs: FrameLocator) -> Locator:
    """Open the job's panel with the keyboard, and wait for its details."""
    opener(jobs).press("Enter")
    panel = jobs.locator("#detail")
    expect(panel.get_by_role("heading", name="Tasks")).to_be_visible()
    return panel


def answer_detail(page: Page, *, record: dict[str, Any] | None = None, **others: Any) -> None:
    """Let the API answer the job's details with other fields."""
    account = page.request.get("/cortex/api/jobs").json()["accounts"][0]
    job_id = next(job["id"] for job in account["jobs"] if MODEL in (job["model"] or ""))
    job = {"conn_id": account["conn_id"], "job_id": job_id}
    answer = page.request.get("/cortex/api/job", params=job).json()
    answer = answer | {"record": answer["record"] | (record or {})} | others
    page.route(JOB, lambda route: route.fulfill(json=answer))


def test_the_panel_says_nothing_twice_and_as_the_table_does(jobs: FrameLocator) -> None:
    """Id, model and status stand there once; losses and tokens have the table's digits."""
    row = jobs.locator("#jobs tr", has_text=MODEL).inner_text().split()
    panel = open_panel(jobs)
    text = panel.inner_text()
    job_id = panel.locator(".head code").inner_text()
    for once in (job_id, f"CORTEX_DB.PUBLIC.{MODEL}", "Success", "Trained tokens"):
        assert text.count(once) == 1, once
    tokens, *losses = row[-3:]
    results = panel.locator(".results td").all_inner_texts()
    assert sorted(results) == sorted(losses)
    expect(panel.locator("dl")).to_contain_text(tokens)


@pytest.mark.parametrize("has_clipboard", [True, False], ids=["HTTPS", "HTTP"])
def test_copies_are_what_cortex_sent(
    page: Page, jobs: FrameLocator, *, has_clipboard: bool
) -> None:
    """Id and query are copied as they are, also where the browser has no clipboard object."""
    query = "SELECT '\u202e' FROM tickets"
    if not has_clipboard:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.set_viewport_size(WIDE)
    answer_detail(page, record={"training_data": query})
    page.reload()
    panel = open_panel(jobs)
    search = jobs.get_by_role("searchbox")
    for name, copied in (
        ("the job's id", panel.locator(".head code").inner_text()),
        ("training query", query),
    ):
        panel.get_by_role("button", name=f"Copy {name}").click()
        expect(panel.get_by_role("button", name=f"Copied {name}")).to_be_visible()
        search.fill("")
        search.press("Control+v")
        expect(search).to_have_value(copied)


def test_the_close_button_stays_with_a_long_heading(page: Page, jobs: FrameLocator) -> None:
    """The button keeps its size and its place, however long the heading is, and while scrolling."""
    answer = page.request.get("/cortex/api/jobs").json()
    for account in answer["accounts"]:
        for job in account["jobs"]:
            job["model"] = job["model"] and job["model"] + "_" + "long" * 60
    page.route(JOBS, lambda route: route.fulfill(json=answer))
    answer_detail(page, record={"options": dict.fromkeys("abcdefghij" * 3, "long" * 60)})
    page.set_viewport_size({"width": 1700, "height": 500})
    page.reload()
    panel = open_panel(jobs)
    close = panel.get_by_role("button", name="Close")
    before = close.bounding_box()
    assert before is not None
    assert (before["width"], before["height"]) == (32, 32)
    scrolled = panel.evaluate("panel => (panel.scrollTop = panel.scrollHeight, panel.scrollTop)")
    assert scrolled > 100
    after = close.bounding_box()
    assert after == pytest.approx(before, abs=17)
    close.click()
    expect(panel).to_be_hidden()


def test_escape_clears_the_search_before_it_closes_the_panel(
    page: Page, jobs: FrameLocator
) -> None:
    """In a search field with text Escape clears that, and only that; elsewhere it closes."""
    page.set_viewport_size(WIDE)
    panel = open_panel(jobs)
    search = jobs.get_by_role("searchbox")
    search.fill("triage")
    search.press("Escape")
    expect(search).to_have_value("")
    expect(jobs.locator("#filters output")).not_to_contain_text("of")
    expect(panel).to_be_visible()
    search.press("Escape")
    expect(panel).to_be_hidden()
    open_panel(jobs)
    jobs.get_by_label("Status").press("Escape")
    expect(panel).to_be_hidden()


def test_a_panel_beside_the_page_is_no_dialog(page: Page, jobs: FrameLocator) -> None:
    """Where both have room, the page stays usable; closing returns the focus."""
    page.set_viewport_size(WIDE)
    panel = open_panel(jobs)
    expect(panel).to_have_role("complementary")
    expect(panel.get_by_role("button", name="Close")).to_be_focused()
    expect(jobs.locator("main[inert]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(opener(jobs)).to_be_focused()


def test_what_the_panel_covers_takes_no_focus(page: Page, jobs: FrameLocator) -> None:
    """A panel that covers the page is a dialog; the focus moves into it, and back at its end."""
    page.set_viewport_size(NARROW)
    panel = open_panel(jobs)
    expect(panel).to_have_role("dialog")
    expect(panel).to_have_attribute("aria-modal", "true")
    for _ in range(12):
        page.keyboard.press("Tab")
        focused = jobs.locator("main :focus, #skip:focus")
        assert focused.count() == 0
    panel.get_by_role("button", name="Close").press("Escape")
    expect(panel).to_be_hidden()
    expect(jobs.locator("main[inert]")).to_have_count(0)
    expect(opener(jobs)).to_be_focused()


def test_a_panel_that_begins_to_cover_the_page_takes_the_focus(
    page: Page, jobs: FrameLocator
) -> None:
    """When the window becomes narrow, the focus does not stay under the panel."""
    page.set_viewport_size(WIDE)
    panel = open_panel(jobs)
    jobs.get_by_role("searchbox").focus()
    page.set_viewport_size(NARROW)
    expect(panel).to_have_role("dialog")
    expect(panel.get_by_role("button", name="Close")).to_be_focused()
    page.set_viewport_size(WIDE)
    expect(panel).to_have_role("complementary")
    jobs.get_by_role("searchbox").focus()
    expect(jobs.get_by_role("searchbox")).to_be_focused()


EVALUATION: dict[str, Any] = {
    "evaluated_on": 1_790_000_000_000,
    "score": 0.93,
    "rows": 1200,
    "scored": 1198,
    "error_rate": 0.005,
    "models": 2,
    "is_best": True,
    "comparisons": [
        {"other": "DB.AI.<i>TRIAGE_3\u202e", "gain": 0.03, "could_be_chance": True},
        {"other": "llama3.1-8b", "gain": -0.4, "could_be_chance": False},
    ],
    "dag_id": "weekly",
    "run_id": "<b>run",
    "task_id": "evaluate",
    "map_index": -1,
    "operator": "CortexEvaluateOperator",
    "state": "success",
    "path": "dags/weekly/runs/%3Cb%3Erun/tasks/evaluate",
}


def test_an_evaluation_says_how_good_the_model_is(page: Page, jobs: FrameLocator) -> None:
    """Its figures, what it was compared with, and the task; foreign text is text."""
    unscored = EVALUATION | {"score": None, "comparisons": [], "is_best": False, "error_rate": 1}
    answer_detail(page, evaluations=[EVALUATION, unscored])
    section = open_panel(jobs).locator(".evaluations")
    expect(section.get_by_role("heading")).to_have_text("Evaluation")
    first, second = section.get_by_role("listitem").all()
    for line in (
        "0.930 over 1,198 of 1,200 rows, the best of 2 models, errors 0.5 %",
        "+0.030 compared with DB.AI.<i>TRIAGE_3[U+202E] (could be chance)",
        "-0.400 compared with llama3.1-8b",
        "2026-09-21 ",
    ):
        expect(first).to_contain_text(line)
    expect(first).to_contain_text(re.compile("llama3.1-8b(?! .could)"))
    expect(second).to_contain_text("no score over 1,198 of 1,200 rows, errors 100 %")
    link = first.get_by_role("link", name="weekly / <b>run / evaluate")
    expect(link).to_have_attribute(
        "href", re.compile(r"/dags/weekly/runs/%3Cb%3Erun/tasks/evaluate$")
    )


def test_an_open_job_shows_a_new_evaluation(page: Page, jobs: FrameLocator) -> None:
    """Refresh brings a score that is new, and the panel requests its evaluation: no heading before."""
    panel = open_panel(jobs)
    expect(panel.get_by_role("heading", name="Evaluation")).to_have_count(0)
    answer_detail(page, evaluations=[EVALUATION])
    scores = [(panel.get_by_role("heading", name=MODEL).inner_text(), 0.93)]
    change_answers(page, lambda answer: answer | {"scores": scores})
    page.set_viewport_size(WIDE)
    jobs.get_by_role("button", name="Refresh").click()
    expect(panel.locator(".evaluations")).to_contain_text("0.930 over")


def test_hidden_tasks_are_explained(page: Page, jobs: FrameLocator) -> None:
    """Where the viewer gets no tasks, the panel says why."""
    why = "You may not see task instances."
    answer_detail(page, tasks=None, tasks_hidden=why)
    expect(open_panel(jobs).locator(".tasks")).to_contain_text(why)
