"""
SHOW MODELS and DROP MODEL for tuned models.

https://docs.snowflake.com/en/sql-reference/sql/show-models
https://docs.snowflake.com/en/sql-reference/sql/drop-model
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import call_rewriting, json_rows, name_resolution
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.name_resolution import NameKey, Namespace
from airflow_provider_cortex.emulator.sql_errors import syntax_error, unknown_object

SHOW = "SHOW MODELS"
DROP = "DROP MODEL"

_COLUMNS = {
    "created_on": json_rows.TIMESTAMP,
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

SHOW_CLAUSES = (
    r"(?:\s+LIKE\s+'(?P<like>(?:[^'\\]|\\.|'')*)')?"
    r"(?:\s+IN\b(?:\s+(?P<scope>ACCOUNT|DATABASE|SCHEMA)\b)?"
    r'(?P<name>\s+(?:[^\s"]|"[^"]*")+)?)?\s*'
)
"""A pattern for what may follow SHOW and a kind of objects."""

_SHOW = re.compile(f"MODELS{SHOW_CLAUSES}", re.IGNORECASE | re.DOTALL)
_DROP = re.compile(
    r"MODEL\s+(?P<if_exists>IF\s+EXISTS\s+)?(?P<name>.*\S)\s*", re.IGNORECASE | re.DOTALL
)


def as_function_call(statement: Expr, namespace: Namespace) -> Expr | None:
    """
    Return SHOW MODELS or DROP MODEL as a SELECT of a function below; None for any other.

    :raises SqlError: for a SHOW MODELS with an unknown clause.
    """
    if not isinstance(statement, exp.Command):
        return None
    verb, rest = str(statement.this).upper(), str(statement.expression).strip()
    if verb == "SHOW" and re.match(r"MODELS\b", rest, re.IGNORECASE):
        return _show_call(rest, namespace)
    if verb == "DROP" and (match := _DROP.fullmatch(rest)):
        if_exists = "IF EXISTS" if match["if_exists"] else None
        call = call_rewriting.call(DROP, namespace, match["name"], if_exists)
        return exp.select(exp.alias_(call, "status", quoted=True))
    return None


def _show_call(rest: str, namespace: Namespace) -> Expr:
    if not (match := _SHOW.fullmatch(rest)):
        raise syntax_error(rest)
    call = call_rewriting.call(
        SHOW, namespace, literal_value(match["like"]), match["scope"], match["name"]
    )
    return json_rows.select_from(call, _COLUMNS)


@dataclass(frozen=True, slots=True)
class ModelStatements:
    """The two statements as functions, for one account."""

    jobs: JobRegistry

    def show(
        self, namespace: Namespace, like: str | None, scope: str | None, name: str | None
    ) -> str:
        """Return the models as JSON records, ordered by database, schema and name."""
        prefix = name_prefix(namespace, scope, name)
        pattern = like_pattern(like)
        records = [
            {
                # The model is created when its job finishes (guess model-listed).
                "created_on": _timestamp(finished_on),
                "name": key[-1],
                "model_type": "CORTEX_FINETUNED",
                "database_name": key[0],
                "schema_name": key[1],
                "comment": None,
                # Guess model-version: a tuned model has one version, which is called V1 and has
                # the aliases DEFAULT, FIRST and LAST. If wrong: real clients that read versions or
                # aliases see others than in tests.
                "owner": "ACCOUNTADMIN",
                "default_version_name": "V1",
                "versions": ["V1"],
                "aliases": {"DEFAULT": "V1", "FIRST": "V1", "LAST": "V1"},
            }
            for key, finished_on in sorted(self.jobs.models().items())
            if key[: len(prefix)] == prefix and pattern.fullmatch(key[-1])
        ]
        return json.dumps(records)

    def drop(self, namespace: Namespace, name: str, if_exists: str | None) -> str:
        """Remove a model. Its name becomes free, and its job does not change."""
        qualified = name_resolution.qualified(name, namespace, statement=DROP)
        key = name_resolution.key(qualified)
        if self.jobs.drop(qualified):
            return f"{key[-1]} successfully dropped."
        if if_exists:
            # Guess drop-model-text: the message for a missing model is that for a missing table.
            # If wrong: real clients see another text than in tests.
            return f"Drop statement executed successfully ({key[-1]} already dropped)."
        raise unknown_object("Model", ".".join(key))


def name_prefix(namespace: Namespace, scope: str | None, name: str | None) -> NameKey:
    """Return how the names of the objects to show begin."""
    scope, name = (scope or "").upper(), (name or "").strip()
    database, schema = namespace.database, namespace.schema
    if scope == "ACCOUNT":
        return ()
    if name:
        key = name_resolution.key(name)
        # Guess show-in-name: IN and a name without a scope mean a schema, as in other SHOW
        # statements. If wrong: real clients must write IN SCHEMA.
        is_complete = scope == "DATABASE" or len(key) > 1
        return key if is_complete else _known(database, *key)
    # Without IN, other SHOW statements show the current database, if there is one.
    return _known(database, schema if scope == "SCHEMA" else None)


def _known(*parts: str | None) -> NameKey:
    return tuple(part for part in parts if part is not None)


def literal_value(literal: str | None) -> str | None:
    """Return the value of a text literal without its quotes."""
    return None if literal is None else re.sub(r"\\(.)|'(')", r"\1\2", literal, flags=re.DOTALL)


def like_pattern(like: str | None) -> re.Pattern[str]:
    """Return the pattern of LIKE, which ignores case, as a regular expression."""
    wildcards = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", "%" if like is None else like, re.DOTALL)
    # Guess like-escape: a backslash escapes a wildcard. If wrong: real clients cannot escape it.
    expression = "".join(wildcards.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def _timestamp(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
