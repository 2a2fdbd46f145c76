"""A query that a user wrote, made fit to stand in brackets within another."""

from __future__ import annotations

from airflow_provider_cortex.cortex import identifier

ELSEWHERE = ("snow://", "@")
"""How data begins that is no query: a dataset (arctic-extract), a stage (snowflake-ml-python's docstring)."""


def normal(query: str) -> str:
    """
    Return the query without what says nothing: blanks around it, and semicolons at its end.

    Cortex and Snowflake put the query into brackets, where a semicolon is a syntax error.
    """
    while (query := query.strip()).endswith(";"):
        query = query[:-1]
    return query


def enclosable(query: str) -> str:
    """Return the query such that the bracket after it is none of a comment's."""
    text = normal(query)
    last_line = text.rpartition("\n")[2]
    return f"{text}\n" if "--" in last_line else text


def source(table_or_query: str) -> str:
    """Return the query for all of a table, if that is what it names, and any other query as it is."""
    text = normal(table_or_query)
    if identifier.parse(text) is None:
        return enclosable(text)
    return f"SELECT * FROM {text}"  # noqa: S608 - it is a name, and nothing else


def is_elsewhere(data: str) -> bool:
    """Return whether the data is no query at all, so that only Cortex can tell what is in it."""
    return data.lstrip().lower().startswith(ELSEWHERE)
