"""The Airflow plugin that adds the page "Cortex fine-tuning" to the Browse menu."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_provider_cortex.airflow_api.compat import HAS_PLUGIN_PAGES
from airflow_provider_cortex.tasks.links import PAGE_PREFIX, PAGE_ROUTE

log = logging.getLogger(__name__)


class CortexPlugin(AirflowPlugin):
    """
    The page, on Airflow 3.1 and later; on earlier versions the plugin is empty.

    Every Airflow process creates a plugin, but only the api-server reads *fastapi_apps*: so the
    application is created when it is read.
    """

    name = "cortex"

    external_views: list[Any] = (
        [
            {
                "name": "Cortex fine-tuning",
                # Relative, so that it works behind any base URL of Airflow.
                "href": f"{PAGE_PREFIX.removeprefix('/')}/jobs",
                "url_route": PAGE_ROUTE,
                "destination": "nav",
                "category": "browse",
            }
        ]
        if HAS_PLUGIN_PAGES
        else []
    )

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]  # Airflow only reads it
        """The application that answers the browser."""
        if not HAS_PLUGIN_PAGES:
            return []
        try:
            from airflow_provider_cortex.page.app import create_app

            app = create_app()
        except Exception:  # any error would stop Airflow's api-server
            log.exception("The page of fine-tuning jobs is not available")
            return []
        return [{"app": app, "url_prefix": PAGE_PREFIX, "name": "Cortex fine-tuning"}]
