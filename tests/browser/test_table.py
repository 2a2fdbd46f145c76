"""The table of jobs: its order, its pages, its columns, and what it does with odd text."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, Route, expect

Job = dict[str, Any]
Account = dict[str, Any]

MANY = 230
MINUTE = 60_000  # milliseconds


def job(number: int, now: int, **fields: Any) -> Job:
    """Return the row of a finished job, *number* minutes old."""
    return {
        "id": f"ft_{number:04}",
        "status": "SUCCESS",
        "is_finished": True,
        "progress": 1.0,
        "ends_on": None,
        "model": f"DB.PUBLIC.MODEL_{number}",
        "family": "DB.PUBLIC.MODEL",
        "base_model": "llama3.1-8b",
        "created_on": now - number * MINUTE,
        "finished_on": now,
        "trained_tokens": 1000 + number,
        "training_loss": 0.1,
        "validation_loss": (number * 7 % MANY) / MANY,
        "error": None,
    } | fields


def answer_with(page: Page, change: Callable[[Account, int], None]) -> None:
    """Let Airflow's answers have one account, which *change* changes."""

    def answer(route: Route) -> None:
        response = route.fetch()
        content = response.json()
        content["accounts"] = content["accounts"][:1]
        change(content["accounts"][0], content["now"])
        route.fulfill(response=response, json=content)

    page.route(re.compile(r"/cortex/api/jobs(\?|$)"), answer)


def open_page(page: Page, query: str = "") -> FrameLocator:
    page.goto(f"/plugin/cortex-jobs{query}")
    return page.frame_locator("iframe")


def rows(jobs: FrameLocator) -> Locator:
    return jobs.locator("#jobs tbody tr")


def heading(jobs: FrameLocator, name: str) -> Locator:
    return jobs.get_by_role("columnheader", name=name)


@pytest.fixture
def many(page: Page) -> FrameLocator:
    """Open the page of an account with many finished jobs, one of which has no losses."""

    def change(account: Account, now: int) -> None:
        jobs = [job(number, now) for number in range(MANY)]
        jobs[3] |= {"validation_loss": None, "training_loss": None}
        account |= {"as_of": now, "is_loading": False, "error": None, "jobs": jobs}

    answer_with(page, change)
    jobs = open_page(page)
    expect(rows(jobs)).to_have_count(100)
    return jobs


def test_any_column_sorts_the_jobs(many: FrameLocator, page: Page) -> None:
    """Headings sort up and down, unknown values last; the URL keeps it, as it keeps filters."""
    losses = many.locator("td.validation-loss")
    expect(heading(many, "Started")).to_have_attribute("aria-sort", "descending")
    expect(rows(many).first).to_have_attribute("data-job-id", "ft_0000")
    heading(many, "Validation loss").get_by_role("button").click()
    expect(heading(many, "Validation loss")).to_have_attribute("aria-sort", "ascending")
    expect(many.locator("th[aria-sort]")).to_have_count(1)
    shown = losses.all_inner_texts()
    assert shown == sorted(shown)
    heading(many, "Validation loss").get_by_role("button").press("Enter")
    expect(heading(many, "Validation loss")).to_have_attribute("aria-sort", "descending")
    shown = losses.all_inner_texts()
    assert shown == sorted(shown, reverse=True)
    page.reload()
    expect(heading(many, "Validation loss")).to_have_attribute("aria-sort", "descending")
    many.get_by_role("button", name="Next").click(click_count=2)
    expect(losses.last).to_have_text("—")
    heading(many, "Model").get_by_role("button").click()
    expect(rows(many).nth(2)).to_contain_text("MODEL_2")  # not MODEL_10


def test_many_jobs_are_shown_in_pages(many: FrameLocator) -> None:
    """The document has 100 rows at most; the buttons keep the focus, filters return to page one."""
    pages = many.get_by_role("navigation", name="Pages of the table")
    following = pages.get_by_role("button", name="Next")
    expect(pages).to_contain_text("1\N{EN DASH}100 of 230")
    following.press("Enter")
    expect(pages).to_contain_text("101\N{EN DASH}200 of 230")
    following.press("Enter")
    expect(pages).to_contain_text("201\N{EN DASH}230 of 230")
    expect(rows(many)).to_have_count(30)
    expect(following).to_be_focused()
    following.press("Enter")
    expect(pages).to_contain_text("201\N{EN DASH}230 of 230")
    many.get_by_role("searchbox").fill("MODEL_1")
    expect(pages).to_contain_text("1\N{EN DASH}100 of 111")
    many.get_by_role("searchbox").fill("MODEL_12")
    expect(pages).to_be_hidden()


def test_a_linked_job_is_shown_on_its_page(page: Page, jobs: FrameLocator) -> None:
    """A link to a job that is not among the newest 100 opens the page with its row."""
    oldest = rows(jobs).last.get_attribute("data-job-id")

    def change(account: Account, now: int) -> None:
        account["jobs"] = [*(job(number, now + 90 * MINUTE) for number in range(MANY))] + [
            real | {"created_on": real["created_on"] - 10_000 * MINUTE} for real in account["jobs"]
        ]

    answer_with(page, change)
    jobs = open_page(page, f"?job={oldest}")
    row = jobs.locator(f'tr[data-job-id="{oldest}"]')
    expect(row).to_have_attribute("aria-current", "true")
    expect(jobs.locator("#pages")).to_contain_text("201")
    jobs.get_by_role("button", name="Previous").click()  # the row is not forced back into view
    expect(jobs.locator("#pages")).to_contain_text("101\N{EN DASH}200")


def test_the_heading_stays_in_view(many: FrameLocator) -> None:
    """Heading and pages stay at the top while the user scrolls, and hide no focused row."""
    button = rows(many).nth(60).get_by_role("button")
    button.scroll_into_view_if_needed()
    for part in (heading(many, "Model"), many.get_by_role("button", name="Next")):
        expect(part).to_be_in_viewport(ratio=1)
    top = "element => element.getBoundingClientRect()"
    rows(many).nth(50).get_by_role("button").evaluate(
        "element => (scrollTo(0, element.getBoundingClientRect().top + scrollY), element.focus())"
    )
    focused = many.locator(":focus").evaluate(top)
    assert focused["top"] >= heading(many, "Model").evaluate(top)["bottom"]
    many.get_by_role("button", name="Next").click()
    expect(rows(many).first).to_be_in_viewport()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_rows_button_opens_its_job(jobs: FrameLocator, page: Page, key: str) -> None:
    """Enter and Space open the job's panel, also while text elsewhere is selected; so do clicks."""
    row = rows(jobs).last
    name = row.get_by_role("button")
    jobs.locator("h1").evaluate("heading => getSelection().selectAllChildren(heading)")
    name.press(key)
    expect(jobs.locator("#detail")).to_be_visible()
    page.keyboard.press("Escape")
    expect(name).to_be_focused()
    row.locator("td").first.click()
    expect(row).to_have_attribute("aria-current", "true")


def test_what_gave_way_stands_beneath_the_model(jobs: FrameLocator, page: Page) -> None:
    """In a narrow window, losses and times without a column are readable beneath the name."""
    page.set_viewport_size({"width": 1000, "height": 800})
    row = rows(jobs).filter(has_text="ticket_triage_8")
    loss = row.locator("td.validation-loss")
    value = loss.inner_text()
    row.get_by_role("button").click()
    expect(loss).to_be_hidden()
    beneath = row.locator(".beneath")
    for part in (f"validation loss {value}", "snowflake_default", "tokens", "duration"):
        expect(beneath.get_by_text(part)).to_be_visible()


def test_odd_text_is_shown_not_obeyed(page: Page) -> None:
    """Invisible characters are written out, in attributes, too; no word means a JavaScript name."""
    odd = {
        "status": "constructor",
        "model": "DB.PUBLIC.a\u202egpj",
        "base_model": "l\u200bl\x1b[1m",
        "error": "\x00 a\u2028b 👩\u200d👩 ❤️ é",
    }

    def change(account: Account, now: int) -> None:
        account["jobs"] = [job(1, now, **odd)]

    answer_with(page, change)
    row = rows(open_page(page))
    expect(row.locator(".badge")).to_have_text("constructor")
    button = row.get_by_role("button", name="DB.PUBLIC.a[U+202E]gpj")
    expect(button).to_have_attribute("title", "DB.PUBLIC.a[U+202E]gpj")
    expect(row.locator(".beneath")).to_contain_text("l[U+200B]l[U+001B][1m")
    expect(row.locator(".why")).to_have_text("[U+0000] a[U+2028]b 👩[U+200D]👩 ❤️ é")


def test_filters_without_a_result_say_so(jobs: FrameLocator) -> None:
    """Nothing promises losses of models that a filter hides."""
    jobs.get_by_role("searchbox").fill("no such model")
    expect(jobs.locator("#filters output")).to_have_text(re.compile(r"^0 of \d+ jobs match"))
    expect(jobs.locator("#chart")).to_contain_text("No finished model matches the filters.")
    expect(jobs.locator("#chart")).not_to_contain_text("appear here")
    expect(jobs.get_by_text("No job matches the filters.")).to_be_visible()


def test_loading_is_not_zero_jobs(page: Page) -> None:
    """Until an account has answered once, the page counts nothing."""
    account_state: Account = {"as_of": None, "is_loading": True, "error": None, "jobs": []}
    answer_with(page, lambda account, _: account.update(account_state))
    output = open_page(page).locator("#filters output")
    expect(output).to_have_text("Loading …")
    with page.expect_response("**/cortex/api/jobs*"):
        account_state.update(as_of=1, is_loading=False)
    expect(output).to_have_text("0 jobs")


@pytest.mark.usefixtures("forced_colours")
def test_forced_colours_keep_progress_and_badges(page: Page) -> None:
    """Where users force their colours, a bar differs from its track, and a badge has a border."""

    def change(account: Account, now: int) -> None:
        running = {"status": "IN_PROGRESS", "is_finished": False, "progress": 0.5}
        account["jobs"] = [job(1, now, model=None, **running)]

    answer_with(page, change)
    page.emulate_media(forced_colors="active")
    row = rows(open_page(page))
    colour = "element => getComputedStyle(element).backgroundColor"
    track = row.get_by_role("progressbar")
    assert track.evaluate(colour) != track.locator("div").evaluate(colour)
    assert row.locator(".badge").evaluate("badge => getComputedStyle(badge).borderWidth") == "1px"
