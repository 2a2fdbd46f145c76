"""One Airflow for all tests, each in Chromium and in Firefox, in a new page."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Page, expect

from tools.browsers import FIREFOX, open_browser, sign_in
from tools.jobs_page import JobsPageDeployment

AIRFLOWS_SCRIPTS = "/static/assets/"


@pytest.fixture(scope="session")
def deployment() -> Iterator[JobsPageDeployment]:
    """Run an Airflow with fine-tuning jobs on its page."""
    deployment = JobsPageDeployment()
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.stop()


@pytest.fixture(scope="session", params=os.environ["BROWSERS"].split())
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Start a browser. All tests run in the one, and then in the other."""
    expect.set_options(timeout=15_000)
    with open_browser(request.param) as browser:
        yield browser


@pytest.fixture
def forced_colours(browser: Browser) -> None:
    """Skip a test in a browser that cannot force colours."""
    if browser.browser_type.name == FIREFOX:
        pytest.skip("Playwright cannot have Firefox force colours")


@pytest.fixture(scope="session")
def session(browser: Browser, deployment: JobsPageDeployment) -> dict[str, object]:
    """Sign in, once, and return the browser's storage."""
    page = browser.new_page()
    sign_in(page, deployment.url)
    state = page.context.storage_state()
    page.context.close()
    return dict(state)


@pytest.fixture
def page(
    browser: Browser, deployment: JobsPageDeployment, session: dict[str, object]
) -> Iterator[Page]:
    """
    Open a window of a signed-in user.

    The test fails if a request went to another host, or if there was an error, except what
    Airflow's own scripts log.
    """
    context = browser.new_context(
        storage_state=session,  # type: ignore[arg-type]  # Playwright's own format
        base_url=deployment.url,
        viewport={"width": 1400, "height": 900},
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    urls: list[str] = []
    errors: list[str] = []
    context.on("request", lambda request: urls.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(line: ConsoleMessage) -> None:
        if line.type == "error" and AIRFLOWS_SCRIPTS not in line.location["url"]:
            errors.append(f"{line.text} ({line.location['url']})")

    page.on("console", note)
    yield page
    context.close()
    assert {urlsplit(url).netloc for url in urls} <= {urlsplit(deployment.url).netloc, ""}
    assert errors == []


@pytest.fixture
def jobs(page: Page) -> FrameLocator:
    """Open the page inside Airflow, and wait for its jobs."""
    page.goto("/plugin/cortex-jobs")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#jobs tbody tr").first).to_be_visible()
    return frame
