"""AI_SIMILARITY, and base models that judge answers, with the unmodified driver."""

import json
import time

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator.judge import judgement
from airflow_provider_cortex.emulator.tuned_model import similarity

PROMPT = """How good is the answer? Compare <answer> with <expected>.
<expected>send a new parcel</expected> <answer>{}</answer>"""

CALL = "SELECT AI_COMPLETE(model => %s, prompt => %s, response_format => PARSE_JSON(%s){})"


def schema(**properties):
    """Return a response format as JSON."""
    return json.dumps({"type": "json", "schema": {"type": "object", "properties": properties}})


def judged_by(model, prompt, response_format):
    """Return the values of a judgement."""
    answer = judgement(model, prompt, response_format)
    assert answer is not None
    return json.loads(answer)


SCORE = schema(score={"type": "number"}, reason={"type": "string"})


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("a new parcel", "a new parcel", 1),
        ("New parcel, a!", "a new parcel", 1),
        ("???", "???", 1),
        ("", "", 1),
        ("a new parcel", "the old invoice", 0),
        ("a new parcel", "", 0),
        ("one two", "one three", 0.5),
    ],
)
def test_similarity_counts_common_words(a, b, expected):
    """Equal texts have 1, texts without a common word 0."""
    assert similarity(a, b) == similarity(b, a) == pytest.approx(expected)


def test_similarity_is_a_number_in_sql(cell):
    """It is NULL if a text is, can be computed with, and is kept as one."""
    assert cell("SELECT AI_SIMILARITY(%s, %s)", "it's 1 of 2", "it's 1 of 2") == 1
    assert cell("SELECT ai_similarity(%s, 'a')", None) is None
    assert cell("SELECT ai_similarity('a', NULL)") is None
    cell("CREATE TABLE scores AS SELECT AI_SIMILARITY('a b', 'a c') AS score")
    assert cell("SELECT AVG(score) * 2 FROM scores WHERE score > 0.4") == pytest.approx(1)


def test_similarity_accepts_the_documented_models(cell):
    """Another model is an error."""
    sql = "SELECT AI_SIMILARITY('a', 'a', {'model': %s})"
    assert cell(sql, "e5-base-v2") == 1
    with pytest.raises(ProgrammingError) as caught:
        cell(sql, "e5")
    assert caught.value.errno == 1008


@pytest.mark.parametrize("arguments", ["1, 2", "'a'", "'a', 'b', {'mode': 'x'}", "'a', 'b', 'c'"])
def test_similarity_rejects_other_arguments(cell, arguments):
    """Its inputs are texts, and its options an object."""
    with pytest.raises(ProgrammingError) as caught:
        cell(f"SELECT AI_SIMILARITY({arguments})")
    assert caught.value.errno == 1044


def test_similarity_needs_the_role(cortex_emulator, cell):
    """Without SNOWFLAKE.CORTEX_USER it is unknown, as all of Cortex."""
    cortex_emulator.has_cortex_user_role = False
    with pytest.raises(ProgrammingError, match="Unknown function AI_SIMILARITY"):
        cell("SELECT AI_SIMILARITY('a', 'a')")


def test_similarity_of_a_table_takes_seconds(cell):
    """An evaluation compares all its rows in one statement."""
    text = "'the parcel with the number ' || number || ' has not arrived for weeks'"
    cell(
        f"CREATE TABLE answers AS SELECT {text} AS a, {text.replace('number ||', 'number + 1 ||')} AS b"
        " FROM (SELECT UNNEST(RANGE(10000)) AS number)"
    )
    began = time.monotonic()
    count = cell("SELECT COUNT(*) FROM answers WHERE AI_SIMILARITY(a, b) BETWEEN 0.8 AND 0.99")
    assert count == 10000
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "score"),
    [("send a new parcel", 1), ("send a new invoice", 0.75), ("nothing", 0), ("", 0)],
)
def test_a_better_answer_gets_a_better_number(answer, score):
    """The text property is a sentence."""
    judged = judged_by("mistral-7b", PROMPT.format(answer), SCORE)
    assert judged["score"] == pytest.approx(score)
    assert "emulated mistral-7b" in judged["reason"]


def test_a_base_model_judges(cell):
    """The response format may be an object or a text."""
    values = "mistral-7b", PROMPT.format("send a new invoice"), SCORE
    for call in CALL.format(""), CALL.format("").replace("PARSE_JSON(%s)", "%s"):
        assert json.loads(cell(call, *values))["score"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("kind", "score"),
    [
        ({"type": "number", "minimum": 1, "maximum": 5}, 4),
        ({"type": "integer", "minimum": 0, "maximum": 10}, 8),
        ({"type": "integer"}, 1),
        ({"type": "number", "maximum": 100}, 75),
        ({"type": "number", "minimum": 5}, 5),
    ],
)
def test_a_score_has_the_range_of_its_property(kind, score):
    """An integer is rounded."""
    prompt = PROMPT.format("send a new invoice")
    judged = judged_by("mistral-7b", prompt, schema(points=kind))
    assert judged == {"points": score}
    assert isinstance(judged["points"], int) == (kind["type"] == "integer")


def test_without_the_sections_a_score_is_the_lowest():
    """There is nothing to compare."""
    kind = {"type": "integer", "minimum": 1, "maximum": 5}
    judged = judged_by("mistral-7b", "How good?", schema(points=kind))
    assert judged == {"points": 1}


def test_a_response_format_without_numbers_is_answered_as_before(cell):
    """The sentence is in the first text property."""
    format_ = schema(label={"type": "string"})
    answer = json.loads(cell(CALL.format(""), "mistral-7b", PROMPT.format("x"), format_))
    assert "no real answer" in answer["label"]


def test_complete_judges_too(cell):
    """The older function has the response format among its options."""
    sql = "SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, [{'role': 'user', 'content': %s}], {'response_format': %s})"
    answer = json.loads(cell(sql, "mistral-7b", PROMPT.format("send a new parcel"), SCORE))
    (output,) = answer["structured_output"]
    assert output["raw_message"]["score"] == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Very good!", "Very good!"),
        ('{"score": 99}', {"score": 99}),
        ('{"score": "high"}', {"score": "high"}),
        ("7", 7),
        ("", ""),
    ],
)
def test_a_judge_can_answer_nonsense(cortex_emulator, cell, text, value):
    """A fault makes its answer any text, and does not concern the model that it judges."""
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.m", pairs=(("parcel", "a new parcel"),))
    cortex_emulator.faults.add("unreadable", prompt="<expected>", text=text)
    assert cell("SELECT AI_COMPLETE('m', 'parcel')") == "a new parcel"
    prompt = PROMPT.format("a new parcel")
    assert json.loads(cell(CALL.format(""), "mistral-7b", prompt, SCORE)) == value
    details = cell(CALL.format(", return_error_details => TRUE"), "mistral-7b", prompt, SCORE)
    assert json.loads(details) == {"value": value, "error": None}
    assert cell("SELECT AI_COMPLETE('mistral-7b', %s)", prompt) == text
