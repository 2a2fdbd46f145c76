"""
Find the statement that an earlier try of a task has started, and whose id is lost.

A worker may die between Snowflake's answer and Airflow's task state store, and before Airflow 3.3
there is no such store. The statement names the staging table, which belongs to one task instance
and one request: so the query history has proof whose statement it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.errors import RejectedError

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.staged_statement import StagedStatement
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


def find(statement: StagedStatement, hook: CortexHook, context: Any, log: Log) -> str | None:
    """
    Return the id of the running statement of an earlier try.

    None on a first try, if none runs, or if Snowflake rejects the search, which is logged.

    :raises UnreachableError: for a transient error; to start another statement would cost more.
    """
    if getattr(context["ti"], "try_number", 1) <= 1:
        return None
    try:
        statements = hook.statements_with(statement.beginning)
    except RejectedError as rejection:
        log.warning(
            "Cannot find out whether a statement of an earlier try still runs: %s", rejection
        )
        return None
    return next((each.query_id for each in statements if each.is_running), None)
