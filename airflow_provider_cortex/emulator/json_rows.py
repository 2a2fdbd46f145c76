"""Results that Python has computed, as rows that DuckDB reads from JSON."""

import json
from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import Expr, exp

TIMESTAMP = "TIMESTAMP WITH TIME ZONE"


def select(records: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> Expr:
    """
    Return a SELECT of *records*, in DuckDB's words.

    One constant holds them all: each node of a statement is visited by ninety transformations.

    :param columns: the columns' names and DuckDB's types.
    """
    return select_from(exp.Literal.string(json.dumps(records)), columns)


def select_from(records: Expr, columns: Mapping[str, str]) -> Expr:
    """Return a SELECT of the rows that an expression returns: a list of records as JSON."""
    rows = f"FROM_JSON({records.sql('duckdb')}, '{json.dumps([columns])}')"
    return sqlglot.parse_one(f"SELECT UNNEST({rows}, recursive := true)", read="duckdb")
