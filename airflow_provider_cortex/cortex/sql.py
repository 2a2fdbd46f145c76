"""The SQL of each call of FINETUNE: what to call, and the values for the driver to bind."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.cortex import arguments, source_query
from airflow_provider_cortex.errors import UnsupportedValueError

_NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")
# A NUL stands escaped in JSON, behind an odd number of backslashes.
_NUL_OR_SURROGATE_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000|[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Call:
    """
    One ``SELECT`` of Cortex functions.

    The values stand apart from the text, in the driver's ``pyformat`` style: the driver writes them
    into the statement as escaped literals. Snowflake documents nothing on server-side binds for
    FINETUNE, and every known client sends literals.
    """

    sql: str
    values: tuple[str | None, ...]
    only_reads: bool = False
    """Whether sending it twice is the same as sending it once."""


def text(argument: str, value: object) -> str:
    """
    Return an argument that is text, ready for the driver.

    A number counts as its text: ``render_template_as_native_obj`` makes 2024 of ``"2024"``. A NUL
    ends the text for some who handle it on the way, and half of a surrogate pair is nothing in UTF-8:
    so neither would arrive as it was given.

    :raises UnsupportedValueError: if it cannot be sent as it is.
    """
    if arguments.is_number(value):
        value = str(value)
    if not isinstance(value, str):
        raise UnsupportedValueError(
            argument, value, f"it is no text, but of type {type(value).__name__}"
        )
    _refuse(argument, value, _NUL_OR_SURROGATE.search(value))
    # The driver knows no subclass of str, such as an enum's member or what Jinja has escaped.
    return str.__str__(value)


def json_text(argument: str, value: object) -> str:
    """
    Return an argument that is a mapping, or a JSON object as text, as JSON text.

    :raises ArgumentError: if it is neither.
    :raises UnsupportedValueError: if it cannot be sent as it is.
    """
    return written(argument, arguments.mapping(argument, value) or {})


def written(argument: str, value: object) -> str:
    """
    Return a value as JSON text.

    :raises UnsupportedValueError: if it cannot be sent as it is.
    """
    plain = dict(value) if isinstance(value, Mapping) else value
    try:
        said = json.dumps(plain, ensure_ascii=False, allow_nan=False, default=arguments.json_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsupportedValueError(
            argument, value, f"it is nothing that JSON has: {error}"
        ) from error
    _refuse(argument, value, _NUL_OR_SURROGATE_IN_JSON.search(said))
    return said


def _refuse(argument: str, value: object, found: re.Match[str] | None) -> None:
    if found is not None:
        what = "half of a surrogate pair" if found[0] > "\ud7ff" else "a NUL character"
        raise UnsupportedValueError(argument, value, f"there is {what} in it")


def describe(*job_ids: str) -> Call:
    """
    https://docs.snowflake.com/sql-reference/functions/finetune-describe.

    Several jobs are as many columns of one row: each answer keeps its place. That an account takes
    several calls in one statement is a guess: the client finds out.
    """
    calls = ", ".join([_function("DESCRIBE", 1)] * len(job_ids))
    values = tuple(text("finetune_job_id", job_id) for job_id in job_ids)
    return Call(f"SELECT {calls}", values, only_reads=True)


def show() -> Call:
    """https://docs.snowflake.com/sql-reference/functions/finetune-show."""
    return Call(f"SELECT {_function('SHOW')}", (), only_reads=True)


def cancel(job_id: str) -> Call:
    """https://docs.snowflake.com/sql-reference/functions/finetune-cancel."""
    return _finetune("CANCEL", text("finetune_job_id", job_id))


def create(
    model: str,
    base_model: str,
    training_data: str,
    *,
    validation_data: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Call:
    """
    https://docs.snowflake.com/sql-reference/functions/finetune-create.

    Options are JSON text, in the fifth place; a validation query that is left out before them is
    NULL, as snowflake-ml-python sends it.
    """
    values: list[str | None] = [
        text("model", model),
        text("base_model", base_model),
        _query("training_data", training_data),
    ]
    if validation_data is not None:
        values.append(_query("validation_data", validation_data))
    elif options:
        values.append(None)
    if options:
        values.append(json_text("options", options))
    return _finetune("CREATE", *values)


def models(schema: str, name: str) -> Call:
    """
    https://docs.snowflake.com/en/sql-reference/sql/show-models: those of a schema with such a name.

    :param schema: with its database, quoted as in SQL.
    :param name: a pattern of LIKE: its case does not matter, and ``_`` is any character.
    """
    sql = f"SHOW MODELS LIKE %s IN SCHEMA {schema.replace('%', '%%')}"
    return Call(sql, (text("model", name),), only_reads=True)


def cancel_query(query_id: str) -> Call:
    """https://docs.snowflake.com/sql-reference/functions/system_cancel_query."""
    return Call("SELECT SYSTEM$CANCEL_QUERY(%s)", (text("query_id", query_id),))


def columns(argument: str, data: str, *names: str) -> Call:
    """
    Have Snowflake compile a query, without running it, for these columns of it; without any, for all.

    The query itself is what the user wants to have run: it stands in the statement as it is.
    """
    what = ", ".join(f'"{name}"' for name in names) or "*"
    sql = f"SELECT {what} FROM ({_query(argument, data)}) LIMIT 0"  # noqa: S608 - see above
    return Call(sql, (), only_reads=True)


def _finetune(action: str, *values: str | None) -> Call:
    return Call(f"SELECT {_function(action, len(values))}", values)


def _function(action: str, values: int = 0) -> str:
    arguments = ", ".join([f"'{action}'", *["%s"] * values])
    return f"SNOWFLAKE.CORTEX.FINETUNE({arguments})"


def _query(argument: str, value: str) -> str:
    """Return data as Cortex can read it: a query in parentheses, ``SELECT … FROM (<query>)``."""
    data = text(argument, value)
    return (
        source_query.plain(data)
        if source_query.is_not_sql(data)
        else source_query.without_terminator(argument, data)
    )
