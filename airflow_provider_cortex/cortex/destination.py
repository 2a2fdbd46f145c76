"""The table into which a task writes its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import ArgumentError


@dataclass(frozen=True)
class Destination:
    """
    A table to create, to replace, or to append to.

    :param name: an identifier, or a qualified one.
    :raises ArgumentError: if it is not one.
    """

    name: str

    def __post_init__(self) -> None:
        _ = self.parts

    @property
    def parts(self) -> tuple[Identifier, ...]:
        return identifiers.parse_argument("destination", self.name)

    @property
    def query(self) -> str:
        """The query for all its rows."""
        return f"SELECT * FROM {identifiers.sql(self.parts)}"  # noqa: S608 - a name

    def write(self, if_exists: str, columns: Sequence[str], select: str) -> Call:
        """
        Return the statement that writes the rows of a query.

        :param if_exists: ``fail`` if the table exists, ``replace`` it and keep its grants, or
            ``append`` to it, column by column name.
        :param columns: the names of the query's columns.
        """
        table = identifiers.sql(self.parts)
        if if_exists == "append":
            return Call(f"INSERT INTO {table} ({', '.join(map(quoted, columns))}) {select}", ())
        if if_exists == "replace":
            return Call(f"CREATE OR REPLACE TABLE {table} COPY GRANTS AS {select}", ())
        return Call(f"CREATE TABLE {table} AS {select}", ())

    def check_columns(self, columns: Sequence[str], needed: Sequence[str]) -> None:
        """
        Check that the existing table has all columns to append to.

        :raises ArgumentError: if not; it names the missing columns.
        """
        missing = [name for name in needed if name not in columns]
        if missing:
            raise ArgumentError(
                "destination",
                self.name,
                f"{self.name} has no column {', '.join(map(quoted, missing))} to append to:"
                " add it to the table, or select fewer columns in the source.",
            )


def quoted(name: str) -> str:
    """Return a column's stored name for a statement."""
    return Identifier(name, is_quoted=True).sql
