"""The SQL that has a model answer a table."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex.answer_table_sql import AnswerTableRequest
from airflow_provider_cortex.errors import ArgumentError

RAW = '"_CORTEX_RAW"'


def request(**changes: Any) -> AnswerTableRequest:
    """Return a request to answer the table t."""
    arguments: dict[str, Any] = {"model": "m", "source": "t", "destination": "db.s.answers"}
    arguments |= {"prompt_column": "body", "prompt_expression": None}
    arguments |= {"answer_column": "answer", "error_column": "error", "staging": "BETWEEN"}
    return AnswerTableRequest(**arguments | changes)


def test_one_statement_asks_for_all_rows() -> None:
    """The model and its parameters are bound as values."""
    call = request(model_parameters={"temperature": 0}).statement.call
    assert call.sql == (
        'CREATE OR REPLACE TRANSIENT TABLE "DB"."S"."BETWEEN" AS SELECT *, AI_COMPLETE(model => %s,'
        ' prompt => "BODY", model_parameters => PARSE_JSON(%s), return_error_details => TRUE)'
        f" AS {RAW} FROM (SELECT * FROM t)"
    )
    assert call.values == ("m", '{"temperature": 0}')
    assert not call.only_reads
    assert request(response_format={"a": 1}).statement.call.values == ("m", '{"a": 1}')


def test_per_cent_signs_are_not_placeholders() -> None:
    """Neither in the user's SQL nor in names."""
    call = request(
        source="SELECT * FROM t WHERE id % 2 = 0",
        prompt_column=None,
        prompt_expression="body || '%s' /* 100% */ -- 100%",
        destination='"50%"',
    ).statement.call
    assert call.sql % tuple(map(repr, call.values)) == (
        "CREATE OR REPLACE TRANSIENT TABLE \"BETWEEN\" AS SELECT *, AI_COMPLETE(model => 'm', prompt =>"
        " (body || '%s' /* 100% */), return_error_details => TRUE)"
        f" AS {RAW} FROM (SELECT * FROM t WHERE id % 2 = 0)"
    )


def test_names_are_quoted() -> None:
    """So no part of a name can act as SQL."""
    hostile = 'x"; DROP TABLE t --'
    escaped = '"x""; DROP TABLE t --"'
    asked = request(answer_column=hostile, prompt_column=hostile)
    assert f"prompt => {escaped}," in asked.statement.call.sql
    assert f"AS {escaped}" in asked.write("fail", [hostile]).sql
    assert asked.write("append", [hostile]).sql.startswith(
        f'INSERT INTO "DB"."S"."ANSWERS" ({escaped}, {escaped},'
    )


def test_one_statement_writes_the_destination() -> None:
    """It creates, replaces or appends to it, without values to bind."""
    asked = request()
    select = (
        f'SELECT "ID", {RAW}:value::VARCHAR AS "ANSWER", COALESCE(NULLIF({RAW}:error::VARCHAR, \'\'),'
        f" IFF({RAW}:value::VARCHAR IS NULL, 'nothing (NULL)', NULL)) AS \"ERROR\""
        ' FROM "DB"."S"."BETWEEN"'
    )
    assert asked.write("fail", ["ID"]).sql == f'CREATE TABLE "DB"."S"."ANSWERS" AS {select}'
    assert asked.write("replace", ["ID"]).sql == (
        f'CREATE OR REPLACE TABLE "DB"."S"."ANSWERS" COPY GRANTS AS {select}'
    )
    assert asked.write("append", ["ID"]).sql == (
        f'INSERT INTO "DB"."S"."ANSWERS" ("ID", "ANSWER", "ERROR") {select}'
    )
    assert asked.statement.drop().sql == 'DROP TABLE IF EXISTS "DB"."S"."BETWEEN"'
    assert {
        call.values
        for call in (
            asked.write("fail", []),
            asked.write("replace", []),
            asked.write("append", []),
        )
    } == {()}
    assert asked.statement.drop().values == ()
    structured = request(response_format={"type": "json"}).write("fail", ["ID"]).sql
    assert f'{RAW}:value AS "ANSWER"' in structured


def test_each_request_of_a_task_instance_has_its_own_staging_table() -> None:
    """A later try of the same request finds the same one."""
    asked = request()
    name = asked.of_task("dag", "task", "run", -1).statement.table
    assert name == request().of_task("dag", "task", "run", -1).statement.table
    others = [
        asked.of_task("dag", "task", "run", 0),
        asked.of_task("dag", "task", "other", -1),
        request(model="other").of_task("dag", "task", "run", -1),
        request(source="other").of_task("dag", "task", "run", -1),
    ]
    assert len({name, *(other.statement.table for other in others)}) == 5
    prefix, _, digest = name.strip('"').rpartition("_CORTEX_")
    assert prefix == 'DB"."S"."ANSWERS'
    assert len(digest) == 16
    assert digest == digest.upper()
    long = request(destination="t" * 255).of_task("dag").statement.table
    assert len(long.strip('"')) == 200 + len("_CORTEX_") + 16  # of the 255 that Snowflake allows


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"destination": "a b"}, "destination"),
        ({"error_column": '"ANSWER"'}, "error_column"),
        ({"model_parameters": {"a": b""}}, "model_parameters"),
        ({"model": "\0"}, "model"),
        ({"source": "\0"}, "source"),
        ({"prompt_column": "\0"}, "prompt_column"),
    ],
)
def test_an_invalid_argument_is_rejected(changes: dict[str, Any], argument: str) -> None:
    """The error names the argument."""
    with pytest.raises(ArgumentError, match=f"^{argument} "):
        request(**changes)


def test_answers_and_errors_need_two_columns() -> None:
    """Their names are compared as Snowflake stores them."""
    with pytest.raises(ArgumentError) as caught:
        request(error_column="Answer")
    assert caught.value.value == "Answer"
    assert str(caught.value) == "error_column must be another column than answer_column."


def test_prompts_are_compiled_over_the_source() -> None:
    """The statement reads no rows, and asks nothing."""
    call = request(source="SELECT 1 AS body;").compile_input()
    assert call.sql == 'SELECT "BODY" FROM (SELECT 1 AS body) LIMIT 0'
    assert (call.values, call.only_reads) == ((), True)


def test_errors_are_counted_in_the_staging_table() -> None:
    """The statement only reads."""
    call = request().count_errors()
    assert call.sql.startswith("SELECT COUNT(*), COUNT(error), MODE(error) FROM (SELECT COALESCE(")
    assert call.sql.endswith(' AS error FROM "DB"."S"."BETWEEN")')
    assert (call.values, call.only_reads) == ((), True)


def test_a_note_is_valid_only_for_its_own_request() -> None:
    """A later try resumes the query of the same request, and no other."""
    statement = request().statement
    noted = statement.note("q")
    assert statement.own_query(noted) == "q"
    assert request(staging="OTHER").statement.own_query(noted) is None
    assert statement.own_query({"query_id": "q"}) is None
    assert statement.own_query(None) is None


def test_the_raw_column_is_not_a_source_column() -> None:
    """The staging table has it in addition to the columns of the source."""
    assert request().source_columns(["ID", "_CORTEX_RAW", "BODY"]) == ["ID", "BODY"]


@pytest.mark.parametrize(
    ("columns", "changes", "argument", "problem"),
    [
        (["BODY", "ANSWER"], {}, "answer_column", "is ANSWER, but the source already has"),
        (["BODY", "ERROR"], {}, "error_column", "is ERROR, but the source already has"),
        (
            ["ID", "NOTE"],
            {},
            "prompt_column",
            'body is not a column of the source, which has "ID", "NOTE".',
        ),
        (["BODY", "_CORTEX_RAW"], {}, "source", "must not have a column _CORTEX_RAW"),
        (["ANSWER"], {"prompt_column": None, "prompt_expression": "1"}, "answer_column", "ANSWER"),
    ],
)
def test_a_source_with_wrong_columns_is_rejected(
    columns: list[str], changes: dict[str, Any], argument: str, problem: str
) -> None:
    """It must have the prompt, and no column with the name of an added one."""
    with pytest.raises(ArgumentError, match=f"^{argument} ") as caught:
        request(**changes).check_source(columns)
    assert problem in str(caught.value)
    assert caught.value.value is not None


def test_column_names_are_case_sensitive() -> None:
    """A prompt expression may use any columns."""
    request().check_source(["BODY", "answer"])
    request(prompt_column=None, prompt_expression="upper(body)").check_source(["ID"])


def test_a_destination_needs_a_column_for_each_appended_one() -> None:
    """Their order does not matter; the error names the missing ones."""
    destination = request().destination_table
    destination.check_columns(["ERROR", "ID", "ANSWER", "MORE"], ["ID", "ANSWER", "ERROR"])
    with pytest.raises(ArgumentError, match=r"^destination db\.s\.answers has no column") as caught:
        destination.check_columns(["ID", "ANSWER"], ["ID", "my body", "ANSWER", "ERROR"])
    assert 'has no column "my body", "ERROR" to append to' in str(caught.value)
    assert caught.value.value == "db.s.answers"
