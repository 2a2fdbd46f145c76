"""A statement that is paid for, and that writes its result into a staging table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.sql import Call

MAX_PREFIX = 200
"""Characters of a staging table's name before its digest; Snowflake allows 255 in all."""


def staging_name(prefix: str, *key: object) -> str:
    """
    Return a name for a staging table: the same for the same key.

    :param prefix: what people recognize it by.
    :param key: what distinguishes it: the task instance, and what it asks for.
    """
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16].upper()
    return f"{prefix[:MAX_PREFIX]}_CORTEX_{digest}"


@dataclass(frozen=True, kw_only=True)
class StagedStatement:
    """
    A statement that creates a staging table, and runs without a session.

    :param name: the staging table's name, the same for each try of a task with the same request:
        a later try finds there what an earlier one has paid for.
    :param schema: its schema, and database; empty for the session's.
    :param call: creates the table.
    :param about: what it does, as an error or a log line names it.
    """

    name: str
    schema: tuple[Identifier, ...]
    call: Call
    about: str

    @property
    def table(self) -> str:
        """The staging table's full name, for a statement."""
        return staging_table(self.schema, self.name)

    @property
    def beginning(self) -> str:
        """How the statement begins, and no other: the query history has it by that."""
        return create_staging(self.table)

    @property
    def query(self) -> str:
        """The query for all rows of the staging table."""
        return f"SELECT * FROM {self.table}"  # noqa: S608 - a name

    def drop(self) -> Call:
        """Return the statement that drops the staging table."""
        return Call(f"DROP TABLE IF EXISTS {self.table}", ())

    def note(self, query_id: str) -> dict[str, str]:
        """Return what a later try needs to know of the running statement."""
        return {"query_id": query_id, "staging": self.name}

    def own_query(self, note: object) -> str | None:
        """Return the query id in a :meth:`note`, or None if it is about another statement."""
        match note:
            case {"query_id": str(query_id), "staging": self.name}:
                return query_id
        return None


def staging_table(schema: tuple[Identifier, ...], name: str) -> str:
    """Return the full name of a staging table, for a statement."""
    return identifiers.sql((*schema, Identifier(name, is_quoted=True)))


def create_staging(table: str) -> str:
    """Return the beginning of the statement that creates a staging table."""
    return f"CREATE OR REPLACE TRANSIENT TABLE {table} AS"
