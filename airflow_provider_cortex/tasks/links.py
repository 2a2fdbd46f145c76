"""The extra links on a task's page in Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_cortex.airflow_api import compat

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskInstanceKey

QUERY_URL = "query_url"
"""The operator's attribute with the address; on Airflow 2 also the XCom."""

JOB_URL = "job_url"
"""The operator's attribute with the address."""

PAGE_PREFIX = "/cortex"
"""The path of the jobs page's own application in Airflow's API server."""

PAGE_ROUTE = "cortex-jobs"
"""The jobs page's name in Airflow's addresses, behind ``/plugin/``."""


class SnowflakeQueryLink(BaseOperatorLink):
    """
    The task's statement in Snowsight's query history.

    Airflow 3 asks for it on the worker when the task ends, and stores the answer. Airflow 2 asks
    in the webserver, which has only what the DAG file says: there the address is an XCom.
    """

    name = "Snowflake query"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the address; empty if there is none."""
        if hasattr(operator, QUERY_URL):
            return getattr(operator, QUERY_URL) or ""
        return compat.stored_link(ti_key, QUERY_URL)


class FineTuneJobLink(BaseOperatorLink):
    """The task's fine-tuning job, on the jobs page in Airflow."""

    name = "Fine-tuning job"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the address; empty if the task has no job yet."""
        return getattr(operator, JOB_URL, None) or ""


JOB_LINKS: tuple[BaseOperatorLink, ...] = (FineTuneJobLink(),) if compat.HAS_PLUGIN_PAGES else ()
"""The links of every task that has a job."""


def job_url(job_id: str, *, conn_id: str) -> str | None:
    """
    Return the address that leads to a job on the jobs page; None where Airflow has no such page.

    The page's application answers it: it sends viewers on to the page, or says which permission
    they lack. It begins with Airflow's ``[api] base_url``, as in
    ``airflow.utils.helpers.build_airflow_dagrun_url``.
    """
    if not compat.HAS_PLUGIN_PAGES:
        return None
    from airflow_provider_cortex.airflow_api.settings import base_url

    # Values that cannot be sent are rejected elsewhere: a link is no reason to fail.
    query = urlencode({"conn_id": conn_id, "job": job_id}, errors="replace")
    return f"{base_url()}{PAGE_PREFIX}/job?{query}"
