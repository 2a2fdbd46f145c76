"""The table's columns, as wide as they are drawn, at the widths that windows have."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.answers import Answer, change_answers

WIDTHS = (1000, 1280, 1372, 1440, 1536, 1920)
LEAST_MODEL_WIDTH = 200
LEAST_WIDTH = 40
MOST_MOVED = 8
"""How many pixels a row may move up or down when its panel opens."""

LONG_NAME = f"ANALYTICS_PRODUCTION.FINE_TUNED_MODELS.{'support_ticket_triage_' * 4}"[:120].ljust(
    120, "x"
)

MEASURE = """() => {
    const box = (element) => {
        const range = document.createRange();
        range.selectNodeContents(element.querySelector("button"));
        const [cell, text] = [element, range].map((each) => each.getBoundingClientRect());
        return {
            name: element.textContent,
            isModel: element.classList.contains("model"),
            cell: [cell.left, cell.right],
            text: [text.left, text.right],
        };
    };
    const headings = [...document.querySelectorAll("#jobs thead th")];
    const root = document.documentElement;
    return {
        columns: headings.filter((each) => each.getClientRects().length).map(box),
        overflow: root.scrollWidth - root.clientWidth,
    };
}"""


def only_first_account(answer: Answer) -> Answer:
    """Return an answer with one connection, and long names."""
    changed = deepcopy(answer)
    del changed["accounts"][1:]
    return with_long_names(changed)


def three_accounts(answer: Answer) -> Answer:
    """Return an answer with three connections, one of which has a long name itself."""
    changed = deepcopy(answer)
    third = {**deepcopy(changed["accounts"][1]), "conn_id": "snowflake_" + "eu_west_1_" * 11}
    changed["accounts"].append(third)
    return with_long_names(changed)


def with_long_names(answer: Answer) -> Answer:
    """Give every second job names of 120 characters."""
    for account in answer["accounts"]:
        for job in account["jobs"][1::2]:
            job.update(model=LONG_NAME, base_model=LONG_NAME.lower())
    return answer


def faults_of(measured: dict[str, Any]) -> list[str]:
    """Return what is wrong with the columns."""
    faults = []
    if measured["overflow"] > 0:
        faults.append(f"the document is {measured['overflow']} px too wide")
    columns = measured["columns"]
    for column in columns:
        name, (left, right), (begin, end) = column["name"], column["cell"], column["text"]
        least = LEAST_MODEL_WIDTH if column["isModel"] else LEAST_WIDTH
        if right - left < least:
            faults.append(f"{name} is {right - left:.0f} px wide")
        if begin < left - 1 or end > right + 1:
            faults.append(f"the heading {name} does not fit")
    for before, after in pairwise(columns):
        if before["text"][1] > after["text"][0]:
            faults.append(f"the headings {before['name']} and {after['name']} overlap")
    return faults


@pytest.mark.parametrize("accounts", [only_first_account, three_accounts])
def test_columns_stay_readable_when_a_job_opens(page: Page, accounts: Any) -> None:
    """With the panel closed and open, each heading fits, Model is wide, and the row stays."""
    change_answers(page, accounts)
    page.goto("/plugin/cortex-jobs")
    jobs = page.frame_locator("iframe")
    rows = jobs.locator("#jobs tbody tr")
    detail = jobs.locator("#detail")
    expect(rows.nth(3)).to_be_visible()
    faults = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        closed = jobs.locator("body").evaluate(MEASURE)
        opener = rows.nth(3).get_by_role("button")
        opener.scroll_into_view_if_needed()
        before = rows.nth(3).bounding_box()
        opener.click()
        expect(detail).to_be_visible()
        after = rows.nth(3).bounding_box()
        opened = jobs.locator("body").evaluate(MEASURE)
        page.keyboard.press("Escape")
        expect(detail).to_be_hidden()
        assert before is not None
        assert after is not None
        moved = abs(after["y"] - before["y"])
        faults += [f"at {width} px: {fault}" for fault in faults_of(closed)]
        faults += [f"at {width} px, open: {fault}" for fault in faults_of(opened)]
        if moved >= MOST_MOVED:
            faults.append(f"at {width} px the row moves by {moved:.0f} px")
    assert not faults, "\n".join(faults)
