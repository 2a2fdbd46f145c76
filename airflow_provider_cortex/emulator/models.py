"""
Tuned models as objects of the account: SHOW MODELS, DROP MODEL.

https://docs.snowflake.com/en/sql-reference/sql/show-models
https://docs.snowflake.com/en/sql-reference/sql/drop-model
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlglot
from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import calls, names
from airflow_provider_cortex.emulator.errors import syntax_error, unknown_model_object
from airflow_provider_cortex.emulator.jobs import Jobs
from airflow_provider_cortex.emulator.names import Place

SHOW = "SHOW MODELS"
DROP = "DROP MODEL"

_COLUMNS = {
    "created_on": "TIMESTAMP WITH TIME ZONE",
    "name": "VARCHAR",
    "model_type": "VARCHAR",
    "database_name": "VARCHAR",
    "schema_name": "VARCHAR",
    "comment": "VARCHAR",
    "owner": "VARCHAR",
    "default_version_name": "VARCHAR",
    "versions": "JSON",
    "aliases": "JSON",
}

_SHOW = re.compile(
    r"""MODELS
    (?:\s+LIKE\s+'(?P<like>(?:[^'\\]|\\.|'')*)')?
    (?:\s+IN\b(?:\s+(?P<scope>ACCOUNT|DATABASE|SCHEMA)\b)?(?P<name>\s+(?:[^\s"]|"[^"]*")+)?)?
    \s*""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_DROP = re.compile(
    r"MODEL\s+(?P<if_exists>IF\s+EXISTS\s+)?(?P<name>.*\S)\s*", re.IGNORECASE | re.DOTALL
)


def called(statement: Expr, place: Place) -> Expr | None:
    """Return the statement that calls one of the functions below, if *statement* is one of theirs."""
    if not isinstance(statement, exp.Command):
        return None
    verb, rest = str(statement.this).upper(), str(statement.expression).strip()
    if verb == "SHOW" and re.match(r"MODELS\b", rest, re.IGNORECASE):
        if not (match := _SHOW.fullmatch(rest)):
            raise syntax_error(rest)
        call = calls.call(SHOW, place, _unquoted(match["like"]), match["scope"], match["name"])
        # One row of the answer for each record of the list.
        return sqlglot.parse_one(
            f"SELECT UNNEST(FROM_JSON({call.sql('duckdb')}, '{json.dumps([_COLUMNS])}'), recursive := true)",
            read="duckdb",
        )
    if verb == "DROP" and (match := _DROP.fullmatch(rest)):
        call = calls.call(DROP, place, match["name"], "IF EXISTS" if match["if_exists"] else None)
        return exp.select(exp.alias_(call, "status", quoted=True))
    return None


@dataclass(frozen=True, slots=True)
class Models:
    """The two statements, for one account."""

    jobs: Jobs

    def show(self, place: Place, like: str | None, scope: str | None, name: str | None) -> str:
        """List the models as rows, ordered by database, schema and name."""
        within = _within(place, scope, (name or "").strip())
        pattern = _pattern(like)
        rows = [
            {
                # Guess: from then on there is a model.
                "created_on": _moment(finished_on),
                "name": key[-1],
                "model_type": "CORTEX_FINETUNED",
                "database_name": key[0],
                "schema_name": key[1],
                "comment": None,
                # Guess: whose they are, and that there is one version of each, called so.
                "owner": "ACCOUNTADMIN",
                "default_version_name": "V1",
                "versions": ["V1"],
                "aliases": {"DEFAULT": "V1", "FIRST": "V1", "LAST": "V1"},
            }
            for key, finished_on in sorted(self.jobs.models().items())
            if key[: len(within)] == within and pattern.fullmatch(key[-1])
        ]
        return json.dumps(rows)

    def drop(self, place: Place, name: str, if_exists: str | None) -> str:
        """Remove a model; its name is free again, and its job stays as it was."""
        qualified = names.qualified(name, place, statement=DROP)
        plain = names.key(qualified)[-1]
        if self.jobs.drop(qualified):
            return f"{plain} successfully dropped."
        if if_exists:
            # Guess: as of tables.
            return f"Drop statement executed successfully ({plain} already dropped)."
        raise unknown_model_object(".".join(names.key(qualified)))


def _within(place: Place, scope: str | None, name: str) -> names.Key:
    """Return what the names of the models to show begin with."""
    if scope is not None and scope.upper() == "ACCOUNT":
        return ()
    if name:
        # Guess: IN and a name alone is one of a schema, as in other SHOW statements.
        inner = names.key(name)
        is_database = scope is not None and scope.upper() == "DATABASE"
        return inner if is_database or len(inner) > 1 else _given(place.database, *inner)
    # Without IN it is the current database, if there is one: so it is said of other SHOW statements.
    return _given(
        place.database, *_given(place.schema if scope and scope.upper() == "SCHEMA" else None)
    )


def _given(*parts: str | None) -> names.Key:
    return tuple(part for part in parts if part is not None)


def _unquoted(literal: str | None) -> str | None:
    """Return the value of what stands between a literal's quotes."""
    return None if literal is None else re.sub(r"\\(.)|'(')", r"\1\2", literal, flags=re.DOTALL)


def _pattern(like: str | None) -> re.Pattern[str]:
    """Return LIKE's pattern, whose case does not matter, as a regular expression."""
    wildcards = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", "%" if like is None else like, re.DOTALL)
    # Guess: that a backslash takes a wildcard's meaning away.
    expression = "".join(wildcards.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
