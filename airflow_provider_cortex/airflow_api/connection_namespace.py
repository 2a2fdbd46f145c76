"""
Where a session's names belong, from its connection in Airflow.

Without ``SnowflakeHook``: a resumed task needs it for nothing else, and it takes long to import.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.errors import ConnectionNotFoundError


def connection_namespace(
    conn_id: str,
    *,
    account: str | None = None,
    region: str | None = None,
    database: str | None = None,
    schema: str | None = None,
) -> Namespace:
    """
    Return the account, database and schema that complete names in a session.

    :param conn_id: the connection's id. The others replace what the connection names.
    :raises ConnectionNotFoundError: if Airflow finds no such connection.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConnectionNotFoundError(conn_id) from error
    extra: dict[str, Any] = connection.extra_dejson

    def field(name: str) -> str | None:
        # The longer name is that of Airflow 2.2 and earlier; SnowflakeHook still accepts it.
        return extra.get(name) or extra.get(f"extra__snowflake__{name}") or None

    account, region = account or field("account"), region or field("region")
    # As the driver does: a separate region is the account's second part.
    has_separate_region = account and region and "." not in account
    return Namespace(
        account=f"{account}.{region}" if has_separate_region else account,
        host=field("host"),
        database=database or field("database"),
        schema=schema or connection.schema,
    )
