"""COMPLETE, TRY_COMPLETE and AI_COMPLETE with the unmodified driver."""

import json

import pytest
from snowflake.connector.errors import ProgrammingError

SCHEMA = {
    "type": "json",
    "schema": {
        "type": "object",
        "properties": {"n": {"type": "number"}, "label": {"type": "string"}},
    },
}


@pytest.fixture
def model(finetune, tickets):
    """Tune a model on TICKETS and return its name."""
    job_id = finetune("CREATE", "it's a labeller", "mistral-7b", tickets)
    return json.loads(finetune("DESCRIBE", job_id))["model"]


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [
        ("my parcel did not come", "shipping"),
        ("INVOICE?", "billing"),
        ("app crashes", "bug"),
        ("costs $amount, isn't it", "billing"),
    ],
)
def test_a_tuned_model_returns_the_completion_of_the_most_similar_prompt(
    cell, model, prompt, completion
):
    """All functions do, whatever the case of their names and the form of their arguments."""
    assert cell("SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, %s)", model, prompt) == completion
    assert cell("SELECT snowflake.cortex.try_complete(%s, %s)", model, prompt) == completion
    assert cell("SELECT AI_COMPLETE(%s, %s)", model, prompt) == completion
    assert cell("SELECT ai_complete(prompt => %s, model => %s)", prompt, model) == completion
    assert cell("SELECT SNOWFLAKE.CORTEX.AI_COMPLETE(%s, %s)", model, prompt) == completion


@pytest.mark.parametrize("name", ["it's a labeller", "IT'S A LABELLER", "public.it's a labeller"])
@pytest.mark.usefixtures("model")
def test_a_model_is_found_by_each_spelling_of_its_name(cell, name):
    """Names are completed from the session, and the case of unquoted names does not matter."""
    assert cell("SELECT AI_COMPLETE(%s, 'parcel')", name) == "shipping"


def test_a_base_model_says_that_it_is_not_tuned(cell):
    """So its answer cannot be mistaken for a real one."""
    assert "emulated mistral-7b" in cell("SELECT AI_COMPLETE('mistral-7b', 'hello')")


def test_complete_rejects_an_unknown_model(cell):
    """The error is word for word the one that users have reported."""
    with pytest.raises(ProgrammingError) as caught:
        cell("SELECT SNOWFLAKE.CORTEX.COMPLETE('snowflake-arctic', 'x')")
    assert caught.value.errno == 100351
    assert caught.value.sqlstate == "P0000"
    assert caught.value.raw_msg == (
        "Request failed for external function COMPLETE$V2 with remote service error: "
        '400 \'"unknown model \\"snowflake-arctic\\""\''
    )


def test_a_model_is_unknown_until_its_job_succeeds(cortex_emulator, cell):
    """TRY_COMPLETE returns NULL for it."""
    job = cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m")
    cortex_emulator.jobs.stall(job.id, progress=0.9)
    assert cell("SELECT SNOWFLAKE.CORTEX.TRY_COMPLETE('m', 'x')") is None


def test_ai_complete_returns_null_on_error(cell):
    """BCR-2184: errors are NULL unless the call asks for details."""
    assert cell("SELECT AI_COMPLETE('missing', 'x')") is None
    assert cell("SELECT AI_COMPLETE(model => 'missing', prompt => 'x')") is None


def test_ai_complete_returns_errors_with_return_error_details(cell, model):
    """It returns an object with value and error, one of which is null."""
    sql = "SELECT AI_COMPLETE(model => %s, prompt => 'parcel', return_error_details => TRUE)"
    assert json.loads(cell(sql, model)) == {"value": "shipping", "error": None}
    failed = json.loads(cell(sql, "missing"))
    assert failed["value"] is None
    assert 'unknown model \\"missing\\"' in failed["error"]


@pytest.mark.parametrize(
    "response_format",
    [
        pytest.param("PARSE_JSON(%s)", id="parsed"),
        pytest.param("%s", id="text"),
    ],
)
def test_a_response_format_makes_the_completion_an_object(cell, model, response_format):
    """A completion that is not a JSON object becomes the schema's first text property."""
    sql = (
        f"SELECT AI_COMPLETE(model => %s, prompt => 'parcel', response_format => {response_format})"
    )
    assert json.loads(cell(sql, model, json.dumps(SCHEMA))) == {"label": "shipping"}


def test_a_response_format_may_be_an_object_literal(cell, model):
    """Its keys keep their case, although fakesnow writes them in capitals."""
    sql = """SELECT AI_COMPLETE(
        model => %s,
        prompt => 'parcel',
        model_parameters => {'temperature': 0, 'max_tokens': 10},
        response_format => {'type': 'json', 'schema': {'properties': {'Label': {'type': 'string'}}}},
        return_error_details => TRUE
    )"""
    assert json.loads(cell(sql, model)) == {"value": {"Label": "shipping"}, "error": None}


def test_a_completion_that_is_a_json_object_is_not_changed(cortex_emulator, cell):
    """A model that was trained on objects returns objects."""
    pairs = (("parcel", '{"label": "shipping", "urgent": false}'),)
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=pairs)
    sql = "SELECT AI_COMPLETE('m', 'parcel', NULL, PARSE_JSON(%s))"
    assert json.loads(cell(sql, json.dumps(SCHEMA))) == {"label": "shipping", "urgent": False}


def test_show_details_returns_choices_model_and_usage(cell, model):
    """As Snowflake documents it."""
    shown = json.loads(
        cell("SELECT AI_COMPLETE(model => %s, prompt => 'parcel', show_details => TRUE)", model)
    )
    assert shown["choices"] == [{"messages": "shipping"}]
    assert shown["model"] == model
    usage = shown["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_complete_with_options_takes_a_conversation_and_returns_details(cell, model):
    """It completes the last message, even if the options are empty."""
    sql = """SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, [
        {'role': 'system', 'content': 'You handle invoices'}, {'role': 'user', 'content': 'parcel'}
    ], {})"""
    assert json.loads(cell(sql, model))["choices"] == [{"messages": "shipping"}]


def test_complete_with_options_rejects_plain_text(cell, model):
    """With options the prompt must be an array of messages."""
    with pytest.raises(ProgrammingError, match="Invalid argument types"):
        cell("SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, 'parcel', {'temperature': 0})", model)


def test_each_row_of_a_table_is_completed(connect, model):
    """Arguments may be columns, and calls may be nested."""
    sql = """SELECT request, AI_COMPLETE(%s, AI_COMPLETE('mistral-7b', request) || request)
        FROM tickets ORDER BY request"""
    rows = connect().cursor().execute(sql, [model]).fetchall()
    assert ("Where is my parcel?", "shipping") in rows
    assert len(rows) == 5


def test_arguments_may_be_bound_on_the_server(connect, model):
    """qmark binding works, too."""
    session = connect(paramstyle="qmark")
    sql = "SELECT AI_COMPLETE(model => ?, prompt => ?, response_format => PARSE_JSON(?))"
    values = (model, "parcel", json.dumps(SCHEMA))
    ((text,),) = session.cursor().execute(sql, values).fetchall()
    assert json.loads(text) == {"label": "shipping"}
