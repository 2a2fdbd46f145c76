"""The page follows Airflow's interface: its time zone, its format of times, and its theme."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, Route, expect

ZONE = ZoneInfo("Australia/Adelaide")
"""A time zone whose hours and minutes differ from UTC's."""

LIGHTNESS = {50: 0.97, 100: 0.94, 200: 0.89, 300: 0.81, 400: 0.7, 500: 0.6, 600: 0.5}
LIGHTNESS |= {700: 0.44, 800: 0.37, 900: 0.3, 950: 0.2}
"""How light the shades of a custom theme's brand are."""

STATES = {"SUCCESS": "success", "ERROR": "failed"}


def choose_time_zone(page: Page, name: str) -> None:
    """Choose a time zone as a user does: in the navigation; in Airflow 3.1's menu of the user."""
    page.get_by_role("button", name="User").wait_for()
    offset = page.get_by_role("button", name=re.compile(r"^[+-]\d\d:\d\d$"))
    if offset.count():
        offset.click()
    else:
        page.get_by_role("button", name="User").click()
        page.get_by_role("menuitem", name="Timezone").click()
    page.get_by_role("dialog").get_by_role("combobox").press_sequentially(name)
    page.keyboard.press("Enter")


def open_with_red_brand(page: Page) -> FrameLocator:
    """Open the page in an Airflow whose setting ``[api] theme`` has a brand of its own."""
    shades = {str(shade): {"value": f"oklch({value} 0.1 20)"} for shade, value in LIGHTNESS.items()}

    def answer(route: Route) -> None:
        config = route.fetch().json()
        route.fulfill(json=config | {"theme": {"tokens": {"colors": {"brand": shades}}}})

    page.route("**/ui/config", answer)
    page.goto("/plugin/cortex-jobs")
    jobs = page.frame_locator("iframe")
    expect(jobs.locator("#jobs tbody tr").first).to_be_visible()
    return jobs


def choose_theme(page: Page, jobs: FrameLocator, theme: str) -> None:
    """Switch between light and dark, as Airflow's interface does it."""
    page.evaluate("theme => { document.documentElement.className = theme }", theme)
    expect(jobs.locator("html")).to_have_attribute("data-theme", theme)


def airflows(page: Page, token: str) -> str:
    """Return one of Airflow's colours as the browser writes it."""
    color: str = page.evaluate(
        """token => {
            const sample = document.body.appendChild(document.createElement('i'));
            sample.style.color = `var(--chakra-colors-${token})`;
            return getComputedStyle(sample).color;
        }""",
        token,
    )
    return color


def style(element: Locator, name: str) -> Any:
    """Return a computed style of the first such element."""
    return element.first.evaluate("(element, name) => getComputedStyle(element)[name]", name)


def test_times_are_those_of_airflows_time_zone_in_its_format(
    page: Page, jobs: FrameLocator
) -> None:
    """When the user chooses another time zone in Airflow, every time on the page changes."""
    choose_time_zone(page, ZONE.key)
    [account, *_] = page.request.get("/cortex/api/jobs").json()["accounts"]
    job = next(job for job in account["jobs"] if "ticket_triage_8" in (job["model"] or ""))
    started = datetime.fromtimestamp(job["created_on"] // 1000, ZONE)
    row = jobs.locator(f'tr[data-job-id="{job["id"]}"]')
    expect(row.locator("td.started")).to_have_text(f"{started:%Y-%m-%d %H:%M:%S}")
    now = datetime.now(ZONE)
    minutes = "|".join(f"{now - timedelta(minutes=ago):%H:%M}" for ago in range(2))
    expect(jobs.locator("#freshness")).to_contain_text(re.compile(f"as of ({minutes}):"))
    ended = datetime.fromtimestamp(job["finished_on"] // 1000, ZONE)
    version = jobs.locator("#chart").get_by_role("option", name=f"{ended:%Y-%m-%d %H:%M:%S}")
    expect(version).to_have_count(1)


def test_colours_and_font_are_those_of_a_custom_theme(page: Page) -> None:
    """Text, surfaces, links and badges follow Airflow's theme and states, also when it changes."""
    if "theme" not in page.request.get("/ui/config").json():
        pytest.skip("Airflow 3.1 has no custom themes")
    jobs = open_with_red_brand(page)
    body = jobs.locator("body")
    assert style(body, "fontFamily") == style(page.locator("body"), "fontFamily")
    for theme, shade in [("dark", 400), ("light", 600)]:
        choose_theme(page, jobs, theme)
        assert style(body, "backgroundColor") == airflows(page, "bg")
        assert style(body, "color") == airflows(page, "fg")
        assert style(jobs.locator("#jobs .name"), "color") == f"oklch({LIGHTNESS[shade]} 0.1 20)"
        for status, state in STATES.items():
            badge = jobs.locator(f'#jobs .badge[data-status="{status}"]')
            assert style(badge, "color") == airflows(page, f"{state}-fg")
            assert style(badge, "backgroundColor") == airflows(page, f"{state}-subtle")


def test_a_colour_of_the_theme_that_is_not_legible_is_not_used(
    page: Page, jobs: FrameLocator
) -> None:
    """If every shade of the brand is too light for links, they have the colour of text."""
    assert style(jobs.locator("#jobs .name"), "color") == airflows(page, "brand-solid")
    shades = "".join(f"--chakra-colors-brand-{shade}: #eee;" for shade in LIGHTNESS)
    page.add_style_tag(content=f"html {{ {shades} }}")
    expect(jobs.locator("#jobs .name").first).to_have_css("color", airflows(page, "fg"))


def test_the_theme_changes_at_once(page: Page, jobs: FrameLocator) -> None:
    """When the user switches between light and dark, the open page follows."""
    for theme in ("dark", "light"):
        choose_theme(page, jobs, theme)
        assert style(jobs.locator("body"), "backgroundColor") == airflows(page, "bg")


def test_the_page_is_legible_outside_airflow(page: Page) -> None:
    """Opened in a tab of its own, the page has a theme of its own."""
    page.goto("/cortex/jobs")
    expect(page.locator("#jobs tbody tr").first).to_be_visible()
    colors = [style(page.locator("body"), name) for name in ("color", "backgroundColor")]
    assert len({*colors, "rgba(0, 0, 0, 0)"}) == 3
