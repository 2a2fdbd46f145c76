"""One Airflow and one Chromium for all tests, and a page of its own for each."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from browser.chromium import chromium, sign_in
from browser.deployment import PageDeployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[PageDeployment]:
    """Run an Airflow whose page has something to show."""
    deployment = PageDeployment()
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    expect.set_options(timeout=15_000)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def session(browser: Browser, deployment: PageDeployment) -> dict[str, object]:
    """Sign in, once, and return what the browser then has."""
    page = browser.new_page()
    sign_in(page, deployment.url)
    state = page.context.storage_state()
    page.context.close()
    return dict(state)


@pytest.fixture
def page(
    browser: Browser, deployment: PageDeployment, session: dict[str, object]
) -> Iterator[Page]:
    """
    Open a window of somebody who is signed in.

    At the end nothing has been asked of another host, and neither a script nor the page's own policy has complained.
    """
    context = browser.new_context(
        storage_state=session,  # type: ignore[arg-type]  # as it gave it
        base_url=deployment.url,
        viewport={"width": 1400, "height": 900},
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" else None,
    )
    yield page
    context.close()
    assert {urlsplit(url).netloc for url in asked} <= {urlsplit(deployment.url).netloc, ""}
    assert complaints == []


@pytest.fixture
def jobs(page: Page) -> FrameLocator:
    """Open the page inside Airflow, with its jobs."""
    page.goto("/plugin/cortex-jobs")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#jobs tbody tr").first).to_be_visible()
    return frame
