"""What Airflow's interface shows of this package: the page "Cortex fine-tuning", under Browse."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_provider_cortex.tasks.links import HAS_PAGE, PAGE_ROUTE

log = logging.getLogger(__name__)

PREFIX = "/cortex"
"""Where Airflow serves the page's own application."""


class CortexPlugin(AirflowPlugin):
    """
    The page, on Airflow 3.1 and later. Earlier ones are given nothing, and miss nothing.

    Airflow makes one of these in each of its processes, and asks for the application in the api-server only: so it is
    made when it is asked for.
    """

    name = "cortex"

    external_views: list[Any] = (
        [
            {
                "name": "Cortex fine-tuning",
                # No slash in front: the browser finds it behind whatever path Airflow is at.
                "href": f"{PREFIX.removeprefix('/')}/jobs",
                "url_route": PAGE_ROUTE,
                "destination": "nav",
                "category": "browse",
            }
        ]
        if HAS_PAGE
        else []
    )

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]  # Airflow only reads it
        """The application that answers the browser."""
        if not HAS_PAGE:
            return []
        try:
            from airflow_provider_cortex.page.app import create_app

            app = create_app()
        except Exception:  # of whatever kind: Airflow would not start, for a page that few need
            log.exception("There is no page of fine-tuning jobs")
            return []
        return [{"app": app, "url_prefix": PREFIX, "name": "Cortex fine-tuning"}]
