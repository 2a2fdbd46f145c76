"""The SQL that answers a table."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex.table import TableRequest
from airflow_provider_cortex.errors import ArgumentError

RAW = '"_CORTEX_RAW"'


def request(**changes: Any) -> TableRequest:
    """Return a request to answer the table t."""
    arguments: dict[str, Any] = {"model": "m", "source": "t", "destination": "db.s.answers"}
    arguments |= {"prompt_column": "body", "prompt_expression": None}
    arguments |= {"answer_column": "answer", "error_column": "error", "staging": "BETWEEN"}
    return TableRequest(**arguments | changes)


def test_ask() -> None:
    """The model is asked in one statement, once for each row; what it is asked with is bound."""
    call = request(model_parameters={"temperature": 0}).ask()
    assert call.sql == (
        'CREATE OR REPLACE TRANSIENT TABLE "DB"."S"."BETWEEN" AS SELECT *, AI_COMPLETE(model => %s,'
        ' prompt => "BODY", model_parameters => PARSE_JSON(%s), return_error_details => TRUE)'
        f" AS {RAW} FROM (SELECT * FROM t)"
    )
    assert call.values == ("m", '{"temperature": 0}')
    assert not call.only_reads


def test_per_cent() -> None:
    """Per cent signs of the user's SQL, and of names, are no placeholders."""
    call = request(
        source="SELECT * FROM t WHERE id % 2 = 0",
        prompt_column=None,
        prompt_expression="body || '%s' -- 100%",
        destination='"50%"',
    ).ask()
    assert call.sql % tuple(map(repr, call.values)) == (
        "CREATE OR REPLACE TRANSIENT TABLE \"BETWEEN\" AS SELECT *, AI_COMPLETE(model => 'm', prompt =>"
        " (body || '%s' -- 100%\n), return_error_details => TRUE)"
        f" AS {RAW} FROM (SELECT * FROM t WHERE id % 2 = 0)"
    )


def test_names_are_quoted() -> None:
    """No name can be taken for SQL."""
    evil = 'x"; DROP TABLE t --'
    escaped = '"x""; DROP TABLE t --"'
    asked = request(answer_column=evil, prompt_column=evil)
    assert f"prompt => {escaped}," in asked.ask().sql
    assert f"AS {escaped}" in asked.create([evil]).sql
    assert asked.append([evil]).sql.startswith(
        f'INSERT INTO "DB"."S"."ANSWERS" ({escaped}, {escaped},'
    )


def test_destination() -> None:
    """The destination is touched by one statement."""
    asked = request()
    select = (
        f'SELECT "ID", {RAW}:value::VARCHAR AS "ANSWER", COALESCE(NULLIF({RAW}:error::VARCHAR, \'\'),'
        f" IFF({RAW}:value::VARCHAR IS NULL, 'nothing (NULL)', NULL)) AS \"ERROR\""
        ' FROM "DB"."S"."BETWEEN"'
    )
    assert asked.create(["ID"]).sql == f'CREATE TABLE "DB"."S"."ANSWERS" AS {select}'
    assert asked.replace(["ID"]).sql == (
        f'CREATE OR REPLACE TABLE "DB"."S"."ANSWERS" COPY GRANTS AS {select}'
    )
    assert asked.append(["ID"]).sql == (
        f'INSERT INTO "DB"."S"."ANSWERS" ("ID", "ANSWER", "ERROR") {select}'
    )
    assert asked.drop().sql == 'DROP TABLE IF EXISTS "DB"."S"."BETWEEN"'
    structured = request(response_format={"type": "json"}).create(["ID"]).sql
    assert f'{RAW}:value AS "ANSWER"' in structured


def test_table_in_between() -> None:
    """It is the same one for the same task instance and request, and for no other."""
    asked = request()
    name = asked.of_task("dag", "task", "run", -1).between
    assert name == request().of_task("dag", "task", "run", -1).between
    others = [
        asked.of_task("dag", "task", "run", 0),
        asked.of_task("dag", "task", "other", -1),
        request(model="other").of_task("dag", "task", "run", -1),
        request(source="other").of_task("dag", "task", "run", -1),
    ]
    assert len({name, *(other.between for other in others)}) == 5
    assert name.startswith('"DB"."S"."ANSWERS_CORTEX_')


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"destination": "a b"}, "destination"),
        ({"error_column": '"ANSWER"'}, "error_column"),
        ({"model_parameters": {"a": b""}}, "model_parameters"),
        ({"source": "\0"}, "source"),
        ({"prompt_column": "\0"}, "prompt_column"),
    ],
)
def test_refused(changes: dict[str, Any], argument: str) -> None:
    """What is of no use is refused by name when the request is made."""
    with pytest.raises(ArgumentError, match=f"^{argument} "):
        request(**changes)
