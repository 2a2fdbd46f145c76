"""The plugin through which Airflow finds the page."""

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_cortex.page.plugin import CortexPlugin


def test_the_plugin_has_one_view_and_one_application() -> None:
    """Airflow gets one view and one application, which is created once."""
    plugin: Any = CortexPlugin()
    (view,) = plugin.external_views
    (app,) = plugin.fastapi_apps
    assert plugin.fastapi_apps[0]["app"] is app["app"]
    assert f"/{view['href']}".startswith(f"{app['url_prefix']}/")
    assert SimpleNamespace(**view).category == "browse"


@pytest.mark.parametrize("seconds", ["fifteen", "inf", "nan"])
def test_airflow_starts_despite_an_invalid_setting(
    seconds: str, as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """With an invalid setting Airflow starts without the page, and its log says why."""
    monkeypatch.setenv("AIRFLOW__CORTEX__JOBS_PAGE_REFRESH_SECONDS", seconds)
    assert CortexPlugin().fastapi_apps == []
    assert "jobs_page_refresh_seconds" in caplog.text
