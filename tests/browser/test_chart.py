"""The chart: every version can be seen and reached, at the right time."""

import re
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, Route, expect

from tools.browsers import store

NEW_YORK = ZoneInfo("America/New_York")
DAY = 24 * 3600 * 1000
END = int(datetime(2026, 11, 20, 12, tzinfo=NEW_YORK).timestamp() * 1000)


def version(number: int, ended: int, model: str = "model") -> dict[str, Any]:
    """Return a finished job of a model, as the page's API answers it."""
    return {
        "id": f"ft_{number:08}",
        "status": "SUCCESS",
        "model": f"DB.PUBLIC.{model}_{number}",
        "family": f"DB.PUBLIC.{model}",
        "is_finished": True,
        "created_on": ended - 3_600_000,
        "finished_on": ended,
        "trained_tokens": 1000 + 100 * (number % 7),
        "training_loss": 0.1 + 0.01 * (number % 5),
        "validation_loss": 0.3 + 0.01 * (number % 5),
    }


def open_with(
    page: Page,
    versions: list[dict[str, Any]],
    query: str = "",
    scores: dict[int, float] | None = None,
) -> FrameLocator:
    """Open the page with these jobs only, and their *scores*, in the time zone of New York."""

    def answer(route: Route) -> None:
        content = route.fetch().json()
        for account in content["accounts"]:
            account |= {"jobs": [], "is_loading": False, "as_of": content["now"]}
        content["accounts"][0]["jobs"] = versions
        content["scores"] = [
            (f"DB.PUBLIC.model_{number}", score) for number, score in (scores or {}).items()
        ]
        route.fulfill(json=content)

    page.route("**/cortex/api/jobs*", answer)
    store(page.context, "timezone", '"America/New_York"')
    page.goto(f"/plugin/cortex-jobs{query}")
    jobs = page.frame_locator("iframe")
    expect(jobs.locator("#freshness")).to_contain_text("as of")
    return jobs


def boxes(elements: Locator) -> list[dict[str, float]]:
    """Return the boxes of all elements, from left to right."""
    found: list[dict[str, float]] = elements.evaluate_all(
        "all => all.map(element => element.getBoundingClientRect().toJSON())"
    )
    return sorted(found, key=lambda box: box["left"])


def middles(elements: Locator) -> list[float]:
    """Return the horizontal centres of all elements, from left to right."""
    return [box["left"] + box["width"] / 2 for box in boxes(elements)]


def contrast(element: Locator, name: str) -> float:
    """Return the contrast (WCAG) of a colour of an element to the background of the page."""
    channels: list[list[float]] = element.first.evaluate(
        """(element, name) => {
            const sample = document.body.appendChild(document.createElement('i'));
            const {[name]: color, opacity} = getComputedStyle(element);
            const background = getComputedStyle(document.body).backgroundColor;
            const share = opacity * 100;
            sample.style.forcedColorAdjust = 'none';
            return [`${color} ${share}%, ${background}`, `${background}, ${background}`].map(mix => {
                sample.style.color = `color-mix(in srgb, ${mix})`;
                const text = getComputedStyle(sample).color;
                return text.match(/[\\d.]+(e-?\\d+)?/g).slice(0, 3).map(Number);
            });
        }""",
        name,
    )
    dark, light = sorted(
        sum(
            weight * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
            for weight, value in zip((0.2126, 0.7152, 0.0722), color, strict=True)
        )
        for color in channels
    )
    return (light + 0.05) / (dark + 0.05)


def test_token_bars_of_one_day_do_not_hide_each_other(page: Page) -> None:
    """Bars of versions that ended at nearly the same time stand side by side, near that time."""
    versions = [version(n, END - 60_000 * n, f"model_{n % 3}") for n in range(12)]
    jobs = open_with(page, [*versions, version(99, END - 60 * DAY)])
    bars = boxes(jobs.locator("#chart .bar"))
    assert len(bars) == 13
    assert all(left["right"] < right["left"] for left, right in pairwise(bars))
    assert all(bar["width"] > 1.9 for bar in bars)
    assert bars[-1]["right"] - bars[1]["left"] < 40


def test_500_versions_have_bars_within_the_chart_and_one_tab_stop(page: Page) -> None:
    """With hundreds of versions each has a bar of 2 pixels, and the table is one Tab away."""
    jobs = open_with(page, [version(n, END - DAY * n, f"model_{n % 6}") for n in range(500)])
    bars, frame = boxes(jobs.locator("#chart .bar")), boxes(jobs.locator("#chart"))[0]
    assert len(bars) == 500
    assert all(bar["width"] > 1.9 for bar in bars)
    assert bars[-1]["right"] < frame["right"]
    assert len({bar["left"] for bar in bars}) == 500
    expect(jobs.locator("#chart svg [tabindex='0']")).to_have_count(1)


def test_all_plots_have_the_same_time_axis(page: Page) -> None:
    """The same ticks are at the same share of the width."""
    versions = [version(n, END - 20 * DAY * n) for n in range(4)]
    jobs = open_with(page, versions, scores={0: 0.9, 3: 0.8})
    axes = []
    for plot in jobs.locator("#chart .plot").all():
        grid = boxes(plot.locator(".grid"))[0]
        ticks = plot.locator("text.column")
        shares = [(x - grid["left"]) / grid["width"] for x in middles(ticks)]
        axes.append((ticks.all_text_contents(), shares))
    (texts, losses), *others = axes
    assert len(texts) >= 2
    assert len(others) == 2
    for same_texts, shares in others:
        assert texts == same_texts
        assert losses == pytest.approx(shares, abs=0.005)


def test_scores_have_a_plot_once_a_shown_model_was_evaluated(page: Page) -> None:
    """It has a marker for each version with a score, at its time; a version's label names it."""
    versions = [version(n, END + DAY * n, "model" if n < 3 else "other") for n in range(4)]
    jobs = open_with(page, versions, scores={0: 0.5, 2: 0.9312})
    chart = jobs.locator("#chart")
    losses, scores, _ = chart.locator(".plot").all()
    expect(scores).to_contain_text("Score")
    expect(scores.locator(".dot")).to_have_count(2)
    expect(losses.locator(".dot")).to_have_count(4)
    first, last = boxes(scores.locator(".dot"))
    assert first["top"] > last["bottom"]
    evaluated = chart.get_by_role("option", name="model_2")
    expect(evaluated).to_have_attribute("aria-label", re.compile(r"score 0\.931, validation loss"))
    expect(chart.get_by_role("option", name="model_1")).not_to_have_attribute(
        "aria-label", re.compile("score")
    )
    scores.locator(".dot").last.hover()
    expect(chart.locator(".tip")).to_contain_text("score 0.931")
    legend = chart.get_by_role("button", name="model", exact=True)
    legend.click()
    expect(scores).to_be_hidden()
    legend.click()
    expect(scores.locator(".dot")).to_have_count(2)


def test_three_plots_fit_the_window(page: Page) -> None:
    """At each width no plot leaves the chart, and none is too narrow to read."""
    jobs = open_with(page, [version(n, END - DAY * n) for n in range(3)], scores={0: 0.9, 1: 0.8})
    for width in (375, 600, 768, 1024, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        frame, *_ = boxes(jobs.locator("#chart"))
        plots = boxes(jobs.locator("#chart .plot"))
        assert len(plots) == 3
        # Airflow's own menu leaves little of the narrowest window.
        assert all(plot["width"] >= min(240, frame["width"] - 32) for plot in plots), width
        assert all(frame["left"] < plot["left"] for plot in plots), width
        assert all(plot["right"] < frame["right"] for plot in plots), width


def test_ticks_are_at_midnight_also_after_the_clocks_change(page: Page) -> None:
    """On 1 November 2026 New York's clocks are set back: each day starts at its tick."""
    midnights = [
        datetime(2026, month, day, tzinfo=NEW_YORK)
        for month, day in [(10, 31), (11, 1), (11, 2), (11, 3)]
    ]
    versions = [version(n, int(day.timestamp() * 1000)) for n, day in enumerate(midnights)]
    jobs = open_with(page, versions)
    losses = jobs.locator("#chart .plot").first
    ticks = losses.locator("text.column")
    assert ticks.all_text_contents() == ["31 Oct", "1 Nov", "2 Nov", "3 Nov"]
    assert middles(losses.locator(".dot")) == pytest.approx(middles(ticks), abs=1)


def test_versions_are_reached_and_opened_by_keyboard(page: Page) -> None:
    """Arrow keys, Home and End move from version to version; Enter and Space open one."""
    jobs = open_with(page, [version(n, END + DAY * n) for n in range(3)])
    versions = jobs.locator("#chart").get_by_role("option")
    versions.last.focus()
    for key, reached in [("Home", 0), ("ArrowRight", 1), ("End", 2), ("ArrowLeft", 1)]:
        page.keyboard.press(key)
        expect(versions.nth(reached)).to_be_focused()
        expect(jobs.locator("#chart .tip")).to_contain_text(f"model_{reached}")
    page.route("**/cortex/api/job?*", lambda route: route.fulfill(json={"record": {}, "tasks": []}))
    for key, reached in [("Enter", 1), ("Space", 2)]:
        versions.nth(reached).focus()
        page.keyboard.press(key)
        expect(jobs.locator("#detail")).to_contain_text(f"DB.PUBLIC.model_{reached}")
        page.keyboard.press("Escape")
        expect(jobs.locator("#detail")).to_be_hidden()


def lowest_contrast(page: Page, jobs: FrameLocator) -> float:
    """Return the lowest contrast of the lines and bars of six models, in light and dark."""
    found: list[float] = []
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.className = theme }", theme)
        expect(jobs.locator("html")).to_have_attribute("data-theme", theme)
        for slot in range(6):
            lines = [f".line.{name}_loss.family-{slot}" for name in ("training", "validation")]
            found += [contrast(jobs.locator(line), "stroke") for line in lines]
            found.append(contrast(jobs.locator(f".bar.family-{slot}"), "fill"))
    return min(found)


def test_lines_stand_out_and_models_differ_in_shape(page: Page) -> None:
    """Lines and bars have a contrast of 3 or more, also in forced colours; markers differ."""
    jobs = open_with(page, [version(n, END - DAY * n, f"model_{n % 6}") for n in range(12)])
    assert lowest_contrast(page, jobs) >= 3
    page.emulate_media(color_scheme="light", forced_colors="active")
    assert lowest_contrast(page, jobs) >= 3
    legend = jobs.locator("#chart .legend path")
    shapes = legend.evaluate_all("all => all.map(path => path.getAttribute('d'))")
    assert len(set(shapes)) == len(shapes) == 6


def test_the_empty_chart_says_why(page: Page) -> None:
    """Without finished jobs it says what will appear; with filters, that none matches them."""
    jobs = open_with(page, [version(1, END)], "?model=another")
    caption = jobs.locator("#chart figcaption")
    expect(caption).to_have_text("No finished model matches the filters.")
    jobs.get_by_role("button", name="Clear filters").click()
    expect(caption).to_have_text("")
    page.unroute_all()
    jobs = open_with(page, [])
    expect(caption).to_have_text(re.compile("appear here"))
