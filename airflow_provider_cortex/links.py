"""What a task's page in Airflow links to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskInstanceKey

QUERY_URL = "query_url"
"""The operator's attribute, and the XCom on Airflow 2, that has the address."""


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
