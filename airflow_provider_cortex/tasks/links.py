"""What a task's page in Airflow links to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import airflow
from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskInstanceKey

QUERY_URL = "query_url"
"""The operator's attribute, and the XCom on Airflow 2, that has the address."""

JOB_URL = "job_url"
"""The operator's attribute that has the address."""

PAGE_ROUTE = "cortex-jobs"
"""What Airflow calls the jobs page by, behind ``/plugin/``."""

HAS_PAGE = not airflow.__version__.startswith(("2.", "3.0."))
"""Whether this Airflow can show the jobs page: 3.1 was the first that shows pages of plugins."""


class SnowflakeQueryLink(BaseOperatorLink):
    """
    The task's statement in Snowsight's query history.

    Airflow 3 asks for it on the worker, each time that the task ends, and keeps the answer: an XCom that is not there
    would be an error in the task's log, so the operator itself is asked. Airflow 2 asks in the webserver,
    which knows of the operator only what was in the DAG file: there it is an XCom.
    """

    name = "Snowflake query"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, and nothing if there is none."""
        if hasattr(operator, QUERY_URL):
            return getattr(operator, QUERY_URL) or ""
        read = getattr(XCom, "get_value", None)  # Airflow 2
        return (read and read(ti_key=ti_key, key=QUERY_URL)) or ""


class FineTuneJobLink(BaseOperatorLink):
    """The task's fine-tuning job, on the jobs page inside Airflow."""

    name = "Fine-tuning job"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, and nothing if the task has no job yet."""
        return getattr(operator, JOB_URL, None) or ""


JOB_LINKS: tuple[BaseOperatorLink, ...] = (FineTuneJobLink(),) if HAS_PAGE else ()
"""The links of every task that has a job."""


def base_url() -> str:
    """Return the address at which browsers find this Airflow, empty if its configuration does not say."""
    section = "webserver" if airflow.__version__.startswith("2.") else "api"
    return (conf.get(section, "base_url", fallback="") or "").rstrip("/")


def job_url(job_id: str, *, conn_id: str) -> str | None:
    """
    Return where the jobs page shows a job; None where there is no such page.

    It begins with Airflow's ``[api] base_url``, as ``airflow.utils.helpers.build_airflow_dagrun_url`` has it.
    """
    if not HAS_PAGE:
        return None
    # What cannot be sent is refused elsewhere, by its name: a link is no reason to fail.
    query = urlencode({"conn_id": conn_id, "job": job_id}, errors="replace")
    return f"{base_url()}/plugin/{PAGE_ROUTE}?{query}"
