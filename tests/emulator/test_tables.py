"""AI_COMPLETE over tables and lists, and what is written around it, through the unmodified driver."""

import json

import pytest
from snowflake.connector.errors import ProgrammingError

PROMPTS = [
    'It\'s a "parcel" \\ of\nMüller, 100 % 😀',
    "",
    "the invoice of $1",
    "null",
    '["app"]',
    "12",
]

ANSWER = "AI_COMPLETE(model => 'm', prompt => request, return_error_details => TRUE)"
ANSWERED = f"SELECT src.*, {ANSWER} AS raw FROM (SELECT * FROM tickets) AS src"


@pytest.fixture
def rows(connect):
    """Run a statement in one session, and return its rows."""
    session = connect()

    def rows(sql, *values):
        return session.cursor().execute(sql, values or None).fetchall()

    return rows


@pytest.fixture
def model(cortex_emulator, tickets):
    """Add a model m that tells of which prompt it was asked; TICKETS has a row without one, too."""
    pairs = (("parcel", "shipping"), ("invoice", "billing"), ("app", "bug"))
    return cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=pairs).model


@pytest.fixture
def answers(rows, model):
    """Answer TICKETS into a table ANSWERS, but one ticket that cannot be."""
    rows("INSERT INTO tickets VALUES (NULL, 'none')")
    rows(f"CREATE TABLE answers AS {ANSWERED}")
    return "ANSWERS"


VALUES = ["billing", "billing", "bug", "shipping", "shipping", None]


@pytest.mark.parametrize(
    "value",
    [
        "raw:value::VARCHAR",
        "raw:value::STRING",
        'answers.raw:"value"::TEXT',
        "raw['value']::VARCHAR",
        "GET(raw, 'value')::VARCHAR",
        "GET_PATH(raw, 'value')::VARCHAR",
        "TO_VARCHAR(raw:value)",
    ],
)
@pytest.mark.usefixtures("answers")
def test_the_value_is_read_as_one_likes(rows, value):
    """Each of these is the answer as text, and NULL of a prompt that is NULL."""
    assert [value for (value,) in rows(f"SELECT {value} AS v FROM answers ORDER BY v")] == VALUES


@pytest.mark.parametrize(
    "error", ["raw:error::VARCHAR", "raw['error']::VARCHAR", "GET(raw, 'error')::VARCHAR"]
)
def test_the_error_is_read_as_one_likes(cortex_emulator, rows, model, error):
    """Each of these is the error as text, and NULL where there is none."""
    cortex_emulator.faults.add("error", at="complete", prompt="invoice", message="it's too long")
    rows(f"CREATE TABLE answers AS {ANSWERED}")
    told = rows(f"SELECT {error} AS error, COUNT(*) FROM answers GROUP BY error ORDER BY error")
    assert told == [("it's too long", 2), (None, 3)]
    assert rows("SELECT COUNT(*) FROM answers WHERE IS_NULL_VALUE(raw:value)") == [(2,)]
    (counts,) = rows(f"SELECT COUNT(*), COUNT_IF({error} IS NOT NULL), COUNT({error}) FROM answers")
    assert counts == (5, 2, 2)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"SELECT raw:value::VARCHAR, raw:error FROM ({ANSWERED})", id="two reads"),
        pytest.param(
            f"SELECT raw:value FROM ({ANSWERED}) WHERE raw:error::TEXT IS NULL", id="where"
        ),
        pytest.param(f"WITH a AS ({ANSWERED}) SELECT MAX(raw:value), COUNT(raw) FROM a", id="with"),
        pytest.param(
            f"CREATE TABLE x AS SELECT raw, raw:value AS v FROM ({ANSWERED})", id="create"
        ),
    ],
)
def test_a_prompt_is_answered_once(cortex_emulator, rows, model, sql):
    """However often a statement reads an answer: each one costs."""
    cortex_emulator.faults.add("error", at="complete")
    rows(sql)
    assert len(cortex_emulator.faults.struck) == 5


@pytest.mark.usefixtures("model")
def test_an_unknown_model_is_an_error_in_each_row(rows):
    """The statement succeeds; so says AI_COMPLETE that it is to."""
    told = rows(
        "SELECT raw:value, raw:error::VARCHAR FROM"
        " (SELECT AI_COMPLETE('nobody', request, NULL, NULL, FALSE, TRUE) AS raw FROM tickets)"
    )
    assert {(value, 'unknown model \\"nobody\\"' in error) for value, error in told} == {
        ("null", True)
    }
    assert len(told) == 5


@pytest.mark.parametrize("limits", [{"requests": 2}, {"share": 0.4}, {"prompt": "invoice"}])
def test_some_rows_can_fail(cortex_emulator, rows, model, limits):
    """So many, so large a part of them, or those with a text in their prompt."""
    cortex_emulator.faults.add("error", at="complete", message="rate limit", **limits)
    sql = f"SELECT COUNT_IF(raw:error::VARCHAR = 'rate limit') FROM ({ANSWERED})"
    assert rows(sql) == [(2,)]


def test_an_answer_can_be_null(cortex_emulator, rows, model):
    """Without an error: in every form of AI_COMPLETE, and in COMPLETE."""
    cortex_emulator.faults.add("null", at="complete", prompt="parcel")
    sql = """SELECT AI_COMPLETE('m', 'parcel'), SNOWFLAKE.CORTEX.COMPLETE('m', 'parcel'),
        AI_COMPLETE(model => 'm', prompt => 'parcel', show_details => TRUE),
        AI_COMPLETE('m', 'parcel', NULL, PARSE_JSON('{}'), FALSE, TRUE)"""
    assert rows(sql) == [(None, None, None, None)]


def test_complete_fails_the_statement(cortex_emulator, rows, model):
    """A prompt that COMPLETE cannot answer is the statement's error, with its number."""
    cortex_emulator.faults.add("error", at="complete", prompt="crashes", code=100351, message="no")
    with pytest.raises(ProgrammingError, match="no") as caught:
        rows("SELECT SNOWFLAKE.CORTEX.COMPLETE('m', request) FROM tickets")
    assert caught.value.errno == 100351
    assert rows("SELECT COUNT(SNOWFLAKE.CORTEX.TRY_COMPLETE('m', request)) FROM tickets") == [(4,)]


@pytest.mark.usefixtures("answers")
def test_a_table_is_replaced_or_left_as_it_was(rows):
    """COPY GRANTS is understood; what fails has changed nothing."""
    rows(
        "CREATE OR REPLACE TABLE answers COPY GRANTS AS"
        f' SELECT * EXCLUDE (raw), raw:value::VARCHAR AS "answer" FROM ({ANSWERED})'
    )
    assert rows("SELECT DISTINCT \"answer\" FROM answers WHERE label = 'bug'") == [("bug",)]
    with pytest.raises(ProgrammingError):
        rows(
            "CREATE OR REPLACE TABLE answers AS"
            " SELECT SNOWFLAKE.CORTEX.COMPLETE('nobody', request) AS answer FROM tickets"
        )
    assert rows("SELECT COUNT(*) FROM answers") == [(6,)]


@pytest.mark.usefixtures("answers")
def test_answers_are_appended(rows):
    """INSERT names its columns; a column that is not there is named in the error."""
    sql = f"INSERT INTO answers (request, raw) SELECT request, raw FROM ({ANSWERED})"
    assert rows(sql) == [(6,)]
    assert rows("SELECT COUNT(*) FROM answers") == [(12,)]
    with pytest.raises(ProgrammingError, match="'NOWHERE'") as caught:
        rows("INSERT INTO answers (nowhere) SELECT request FROM tickets")
    assert caught.value.errno == 904


@pytest.mark.usefixtures("answers")
def test_a_table_that_exists_is_not_created(rows):
    """Number and state tell it from other errors; IF EXISTS and IF NOT EXISTS raise none."""
    with pytest.raises(ProgrammingError, match="Object 'ANSWERS' already exists") as caught:
        rows(f"CREATE TABLE answers AS {ANSWERED}")
    assert (caught.value.errno, caught.value.sqlstate) == (2002, "42710")
    rows(f"CREATE TABLE IF NOT EXISTS answers AS {ANSWERED}")
    for _ in range(2):
        rows("DROP TABLE IF EXISTS answers")


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ("request, prompt", "'PROMPT'"),
        ('request, "label"', "'\"label\"'"),
        ('"Request"', "'\"Request\"'"),
        ('src."nope"', "'\"nope\"'"),
    ],
)
@pytest.mark.usefixtures("tickets")
def test_an_unknown_column_is_named(rows, columns, missing):
    """As Snowflake does: quoted names have a case."""
    with pytest.raises(ProgrammingError, match=f"invalid identifier {missing}") as caught:
        rows(f"SELECT {columns} FROM (SELECT * FROM tickets) src LIMIT 0")
    assert (caught.value.errno, caught.value.sqlstate) == (904, "42000")


def test_columns_are_known_before_a_row_is(cortex_emulator, connect, model):
    """LIMIT 0 answers with the columns alone, and asks no model anything."""
    cortex_emulator.faults.add("error", at="complete")
    cursor = connect().cursor().execute(f"SELECT * FROM ({ANSWERED}) LIMIT 0")
    assert [column.name for column in cursor.description] == ["REQUEST", "LABEL", "RAW"]
    assert cursor.fetchall() == []
    described = connect().cursor().describe(ANSWERED)
    assert [column.name for column in described] == ["REQUEST", "LABEL", "RAW"]
    assert not cortex_emulator.faults.struck


@pytest.mark.parametrize(
    "source",
    [
        "TABLE(FLATTEN(PARSE_JSON(%s))) f",
        "TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) AS f",
        "LATERAL FLATTEN(INPUT => PARSE_JSON(%s)) f",
        "(SELECT PARSE_JSON(%s) AS prompts) p, LATERAL FLATTEN(INPUT => p.prompts) f",
    ],
)
def test_a_list_is_answered_in_order(cortex_emulator, rows, source):
    """One statement asks a list of prompts, each exactly as it is."""
    pairs = tuple((f"p{place}", prompt) for place, prompt in enumerate(PROMPTS))
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.echo", pairs=pairs)
    for place, prompt in enumerate(PROMPTS):
        cortex_emulator.faults.add("error", at="complete", prompt=prompt, message=f"no. {place}")
    sql = (
        "SELECT f.index, f.value::VARCHAR, AI_COMPLETE(model => %s, prompt => f.value::VARCHAR,"
        f" return_error_details => TRUE):error::VARCHAR FROM {source} ORDER BY f.index"
    )
    wanted = [(place, prompt) for place, prompt in enumerate(PROMPTS)]
    asked = rows(sql, "echo", json.dumps(PROMPTS))
    assert [(place, prompt) for place, prompt, _ in asked] == wanted
    # The empty text is in every other, and was added second.
    assert [error for _, _, error in asked] == ["no. 0", *["no. 1"] * 5]
    cortex_emulator.faults.clear()
    answered = rows(
        "SELECT f.index, AI_COMPLETE(model => %s, prompt => f.value::VARCHAR) FROM"
        f" {source} ORDER BY f.index",
        "echo",
        json.dumps([f"p{place}" for place in range(len(PROMPTS))]),
    )
    assert answered == wanted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "shipping"),
        (", show_details => TRUE", {"choices": [{"messages": "shipping"}]}),
        (", response_format => PARSE_JSON(%s)", {"label": "shipping"}),
        (
            ", response_format => PARSE_JSON(%s), show_details => TRUE",
            {"structured_output": [{"raw_message": {"label": "shipping"}, "type": "json"}]},
        ),
    ],
)
@pytest.mark.usefixtures("model")
def test_a_conversation_is_answered_in_each_form(rows, arguments, said):
    """With error details the value is what it would be without: text, details or an object."""
    schema = {"type": "json", "schema": {"properties": {"label": {"type": "string"}}}}
    messages = [
        {"role": "system", "content": "invoice"},
        {"role": "user", "content": "it's a parcel"},
    ]
    values = [json.dumps(messages), json.dumps(schema)][: 1 + arguments.count("%s")]
    ((text,),) = rows(
        "SELECT AI_COMPLETE(model => 'm', prompt => PARSE_JSON(%s)"
        f"{arguments}, return_error_details => TRUE)",
        *values,
    )
    told = json.loads(text)
    assert told["error"] is None
    if "show_details" in arguments:
        usage = told["value"].pop("usage")
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert told["value"].pop("model") == "m"
        assert told["value"].pop("created") > 0
    assert told["value"] == said


@pytest.mark.parametrize(
    "name",
    [
        '"My.Model"',
        '"my schema"."My.Model"',
        'cortex_db."my schema"."My.Model"',
        'CORTEX_DB."my schema"."My.Model"',
    ],
)
def test_a_quoted_model_is_found(cortex_emulator, connect, cell, name):
    """Qualified or not, in quotes its name is exactly that."""
    pairs = (("parcel", "shipping"),)
    cortex_emulator.jobs.add(model='CORTEX_DB."my schema"."My.Model"', pairs=pairs)
    session = connect()
    session.cursor().execute('CREATE SCHEMA "my schema"')
    sql = "SELECT AI_COMPLETE(model => %s, prompt => 'parcel')"
    assert cell(sql, name, session=session) == "shipping"
    assert cell(sql, name.replace("My", "MY"), session=session) is None
