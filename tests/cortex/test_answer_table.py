"""The SQL that answers a table."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex.answer_table import TableRequest
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
    assert request(response_format={"a": 1}).ask().values == ("m", '{"a": 1}')


def test_per_cent() -> None:
    """Per cent signs of the user's SQL, and of names, are no placeholders."""
    call = request(
        source="SELECT * FROM t WHERE id % 2 = 0",
        prompt_column=None,
        prompt_expression="body || '%s' /* 100% */ -- 100%",
        destination='"50%"',
    ).ask()
    assert call.sql % tuple(map(repr, call.values)) == (
        "CREATE OR REPLACE TRANSIENT TABLE \"BETWEEN\" AS SELECT *, AI_COMPLETE(model => 'm', prompt =>"
        " (body || '%s' /* 100% */), return_error_details => TRUE)"
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
    assert {call.values for call in (asked.create([]), asked.replace([]), asked.append([]))} == {()}
    assert asked.drop().values == ()
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
    prefix, _, digest = name.strip('"').rpartition("_CORTEX_")
    assert prefix == 'DB"."S"."ANSWERS'
    assert len(digest) == 16
    assert digest == digest.upper()
    long = request(destination="t" * 255).of_task("dag").between
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
def test_refused(changes: dict[str, Any], argument: str) -> None:
    """What is of no use is refused by name when the request is made."""
    with pytest.raises(ArgumentError, match=f"^{argument} "):
        request(**changes)


def test_the_error_column_is_another_one() -> None:
    """One column cannot hold both."""
    with pytest.raises(ArgumentError) as caught:
        request(error_column="Answer")
    assert caught.value.value == "Answer"
    assert str(caught.value) == "error_column must be another column than answer_column."


def test_prompts() -> None:
    """The prompts are compiled over the source before anything is asked."""
    call = request(source="SELECT 1 AS body;").prompts()
    assert call.sql == 'SELECT "BODY" FROM (SELECT 1 AS body) LIMIT 0'
    assert (call.values, call.only_reads) == ((), True)


def test_count() -> None:
    """Rows and errors are counted in between, before the destination is touched."""
    call = request().count()
    assert call.sql.startswith("SELECT COUNT(*), COUNT(error), MODE(error) FROM (SELECT COALESCE(")
    assert call.sql.endswith(' AS error FROM "DB"."S"."BETWEEN")')
    assert (call.values, call.only_reads) == ((), True)


def test_note() -> None:
    """A later try takes up the query of the same request, and no other."""
    asked = request()
    noted = asked.note("q")
    assert asked.own_query(noted) == "q"
    assert request(staging="OTHER").own_query(noted) is None
    assert asked.own_query({"query_id": "q"}) is None
    assert asked.own_query(None) is None


def test_columns_in_between() -> None:
    """What AI_COMPLETE returned is no column of the source."""
    assert request().without_raw(["ID", "_CORTEX_RAW", "BODY"]) == ["ID", "BODY"]


@pytest.mark.parametrize(
    ("columns", "changes", "argument", "told"),
    [
        (["BODY", "ANSWER"], {}, "answer_column", "is ANSWER, which the source has already"),
        (["BODY", "ERROR"], {}, "error_column", "is ERROR, which the source has already"),
        (
            ["ID", "NOTE"],
            {},
            "prompt_column",
            'body is no column of the source, which has "ID", "NOTE".',
        ),
        (["BODY", "_CORTEX_RAW"], {}, "source", "must have no column _CORTEX_RAW"),
        (["ANSWER"], {"prompt_column": None, "prompt_expression": "1"}, "answer_column", "ANSWER"),
    ],
)
def test_what_the_source_has(
    columns: list[str], changes: dict[str, Any], argument: str, told: str
) -> None:
    """A source that lacks the prompt, or has what is to be added, is refused by the argument's name."""
    with pytest.raises(ArgumentError, match=f"^{argument} ") as caught:
        request(**changes).check_source(columns)
    assert told in str(caught.value)
    assert caught.value.value is not None


def test_a_source_to_answer() -> None:
    """Columns in other letters are other columns; an expression may use any."""
    request().check_source(["BODY", "answer"])
    request(prompt_column=None, prompt_expression="upper(body)").check_source(["ID"])


def test_what_the_destination_has() -> None:
    """All that is appended has its column there, in whatever order, or is told by name."""
    asked = request()
    asked.check_destination(["ERROR", "ID", "ANSWER", "MORE"], ["ID"])
    with pytest.raises(ArgumentError, match=r"^destination db\.s\.answers has no column") as caught:
        asked.check_destination(["ID", "ANSWER"], ["ID", "my body"])
    assert 'has no column "my body", "ERROR", which is to be appended' in str(caught.value)
    assert caught.value.value == "db.s.answers"
