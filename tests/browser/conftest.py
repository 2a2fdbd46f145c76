"""One Airflow for all tests, each in Chromium and in Firefox, in a new page."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tools.browsers import CHROMIUM, FIREFOX, open_browser, sign_in
from tools.jobs_page import JobsPageDeployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[JobsPageDeployment]:
    """Run an Airflow with fine-tuning jobs on its page."""
    deployment = JobsPageDeployment()
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.stop()


@pytest.fixture(scope="session", params=[CHROMIUM, FIREFOX])
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Start a browser. All tests run in the one, and then in the other."""
    expect.set_options(timeout=15_000)
    with open_browser(request.param) as browser:
        yield browser


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

    The test fails if the page sent a request to another host, or logged an error.
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
    page.on(
        "console",
        lambda line: errors.append(line.text) if line.type == "error" else None,
    )
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
