"""AI_COMPLETE over tables and lists, and the SQL around it, with the unmodified driver."""

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
    """Add a model m whose answer shows which prompt it completed."""
    pairs = (("parcel", "shipping"), ("invoice", "billing"), ("app", "bug"))
    return cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=pairs).model


@pytest.fixture
def answers(rows, model):
    """Create a table ANSWERS from TICKETS, with one more ticket that is NULL."""
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
def test_each_way_of_reading_the_value_works(rows, value):
    """The value is text, or NULL for a prompt that is NULL."""
    assert [value for (value,) in rows(f"SELECT {value} AS v FROM answers ORDER BY v")] == VALUES


@pytest.mark.parametrize(
    "error", ["raw:error::VARCHAR", "raw['error']::VARCHAR", "GET(raw, 'error')::VARCHAR"]
)
def test_each_way_of_reading_the_error_works(cortex_emulator, rows, model, error):
    """The error is text, or NULL if there is none."""
    cortex_emulator.faults.add("error", at="complete", prompt="invoice", message="it's too long")
    rows(f"CREATE TABLE answers AS {ANSWERED}")
    errors = rows(f"SELECT {error} AS error, COUNT(*) FROM answers GROUP BY error ORDER BY error")
    assert errors == [("it's too long", 2), (None, 3)]
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
def test_a_prompt_is_completed_only_once(cortex_emulator, rows, model, sql):
    """However often a statement reads the answer, since each completion costs."""
    cortex_emulator.faults.add("error", at="complete")
    rows(sql)
    assert len(cortex_emulator.faults.struck) == 5


@pytest.mark.usefixtures("model")
def test_an_unknown_model_is_an_error_in_each_row(rows):
    """With return_error_details the statement itself succeeds."""
    answered = rows(
        "SELECT raw:value, raw:error::VARCHAR FROM"
        " (SELECT AI_COMPLETE('missing', request, NULL, NULL, FALSE, TRUE) AS raw FROM tickets)"
    )
    assert {(value, 'unknown model \\"missing\\"' in error) for value, error in answered} == {
        ("null", True)
    }
    assert len(answered) == 5


@pytest.mark.parametrize("limits", [{"requests": 2}, {"share": 0.4}, {"prompt": "invoice"}])
def test_some_rows_can_fail(cortex_emulator, rows, model, limits):
    """A number of rows, a share of them, or those whose prompt contains a text."""
    cortex_emulator.faults.add("error", at="complete", message="rate limit", **limits)
    sql = f"SELECT COUNT_IF(raw:error::VARCHAR = 'rate limit') FROM ({ANSWERED})"
    assert rows(sql) == [(2,)]


def test_a_completion_can_be_null_without_an_error(cortex_emulator, rows, model):
    """In COMPLETE, and in each form of AI_COMPLETE."""
    cortex_emulator.faults.add("null", at="complete", prompt="parcel")
    sql = """SELECT AI_COMPLETE('m', 'parcel'), SNOWFLAKE.CORTEX.COMPLETE('m', 'parcel'),
        AI_COMPLETE(model => 'm', prompt => 'parcel', show_details => TRUE),
        AI_COMPLETE('m', 'parcel', NULL, PARSE_JSON('{}'), FALSE, TRUE)"""
    assert rows(sql) == [(None, None, None, None)]


def test_a_failed_prompt_of_complete_fails_the_statement(cortex_emulator, rows, model):
    """The statement's error has the number of the prompt's error."""
    cortex_emulator.faults.add("error", at="complete", prompt="crashes", code=100351, message="no")
    with pytest.raises(ProgrammingError, match="no") as caught:
        rows("SELECT SNOWFLAKE.CORTEX.COMPLETE('m', request) FROM tickets")
    assert caught.value.errno == 100351
    assert rows("SELECT COUNT(SNOWFLAKE.CORTEX.TRY_COMPLETE('m', request)) FROM tickets") == [(4,)]


@pytest.mark.usefixtures("answers")
def test_a_failed_replacement_leaves_the_table_unchanged(rows):
    """A successful one replaces it, and COPY GRANTS is accepted."""
    rows(
        "CREATE OR REPLACE TABLE answers COPY GRANTS AS"
        f' SELECT * EXCLUDE (raw), raw:value::VARCHAR AS "answer" FROM ({ANSWERED})'
    )
    assert rows("SELECT DISTINCT \"answer\" FROM answers WHERE label = 'bug'") == [("bug",)]
    with pytest.raises(ProgrammingError):
        rows(
            "CREATE OR REPLACE TABLE answers AS"
            " SELECT SNOWFLAKE.CORTEX.COMPLETE('missing', request) AS answer FROM tickets"
        )
    assert rows("SELECT COUNT(*) FROM answers") == [(6,)]


@pytest.mark.usefixtures("answers")
def test_insert_appends_answers(rows):
    """The error for an unknown column names the column."""
    sql = f"INSERT INTO answers (request, raw) SELECT request, raw FROM ({ANSWERED})"
    assert rows(sql) == [(6,)]
    assert rows("SELECT COUNT(*) FROM answers") == [(12,)]
    with pytest.raises(ProgrammingError, match="'NOWHERE'") as caught:
        rows("INSERT INTO answers (nowhere) SELECT request FROM tickets")
    assert caught.value.errno == 904


@pytest.mark.usefixtures("answers")
def test_an_existing_table_is_an_error_of_its_own(rows):
    """It has its own number and state. IF EXISTS and IF NOT EXISTS avoid it."""
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
def test_an_unknown_column_is_named_in_the_error(rows, columns, missing):
    """The case of quoted names matters, as in Snowflake."""
    with pytest.raises(ProgrammingError, match=f"invalid identifier {missing}") as caught:
        rows(f"SELECT {columns} FROM (SELECT * FROM tickets) src LIMIT 0")
    assert (caught.value.errno, caught.value.sqlstate) == (904, "42000")


def test_columns_can_be_described_without_a_completion(cortex_emulator, connect, model):
    """LIMIT 0 and describe return the columns, and complete no prompt."""
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
def test_a_list_of_prompts_is_completed_in_order(cortex_emulator, rows, source):
    """One statement completes all, and each prompt arrives exactly as it is."""
    pairs = tuple((f"p{place}", prompt) for place, prompt in enumerate(PROMPTS))
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.echo", pairs=pairs)
    for place, prompt in enumerate(PROMPTS):
        cortex_emulator.faults.add("error", at="complete", prompt=prompt, message=f"no. {place}")
    sql = (
        "SELECT f.index, f.value::VARCHAR, AI_COMPLETE(model => %s, prompt => f.value::VARCHAR,"
        f" return_error_details => TRUE):error::VARCHAR FROM {source} ORDER BY f.index"
    )
    prompts = [(place, prompt) for place, prompt in enumerate(PROMPTS)]
    asked = rows(sql, "echo", json.dumps(PROMPTS))
    assert [(place, prompt) for place, prompt, _ in asked] == prompts
    # The empty text is in every other, and was added second.
    assert [error for _, _, error in asked] == ["no. 0", *["no. 1"] * 5]
    cortex_emulator.faults.clear()
    answered = rows(
        "SELECT f.index, AI_COMPLETE(model => %s, prompt => f.value::VARCHAR) FROM"
        f" {source} ORDER BY f.index",
        "echo",
        json.dumps([f"p{place}" for place in range(len(PROMPTS))]),
    )
    assert answered == prompts


@pytest.mark.parametrize(
    ("arguments", "expected"),
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
def test_a_conversation_is_completed_in_each_form(rows, arguments, expected):
    """With error details the value is the same as without: text, details or an object."""
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
    answer = json.loads(text)
    assert answer["error"] is None
    if "show_details" in arguments:
        usage = answer["value"].pop("usage")
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert answer["value"].pop("model") == "m"
        assert answer["value"].pop("created") > 0
    assert answer["value"] == expected


@pytest.mark.parametrize(
    "name",
    [
        '"My.Model"',
        '"my schema"."My.Model"',
        'cortex_db."my schema"."My.Model"',
        'CORTEX_DB."my schema"."My.Model"',
    ],
)
def test_a_quoted_model_name_is_matched_exactly(cortex_emulator, connect, cell, name):
    """Whether it is qualified or not."""
    pairs = (("parcel", "shipping"),)
    cortex_emulator.jobs.add(model='CORTEX_DB."my schema"."My.Model"', pairs=pairs)
    session = connect()
    session.cursor().execute('CREATE SCHEMA "my schema"')
    sql = "SELECT AI_COMPLETE(model => %s, prompt => 'parcel')"
    assert cell(sql, name, session=session) == "shipping"
    assert cell(sql, name.replace("My", "MY"), session=session) is None
