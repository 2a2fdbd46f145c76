"""Reading what a model answered."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex import completion
from airflow_provider_cortex.cortex.completion import Completion, Question
from airflow_provider_cortex.errors import (
    AnswerTooLargeError,
    ArgumentError,
    CompletionError,
    UnreadableAnswerError,
)


def question(**changes: Any) -> Question:
    """Ask AI_COMPLETE without a response format, but for *changes*."""
    return Question(**{"model": "m", "prompt": "p"} | changes)


def read(cell: object, **changes: Any) -> Any:
    """Read the answer to a question."""
    (answered,) = question(**changes).read([cell])
    return answered.answer


OLD = {"function": "COMPLETE"}
OLD_WITH_OPTIONS = {"function": "COMPLETE", "model_parameters": {"temperature": 0}}
STRUCTURED = {"response_format": {"type": "json"}}
DETAILS = {"with_usage": True}


@pytest.mark.parametrize(
    ("cell", "changes", "answer"),
    [
        ('{"value": "yes", "error": null}', {}, "yes"),
        ('{"value": "yes"}', {}, "yes"),
        ('{"value": "", "error": null}', {}, ""),
        ('{"value": {"a": 1}, "error": null}', STRUCTURED, {"a": 1}),
        ('{"value": "{\\"a\\": 1}", "error": null}', STRUCTURED, {"a": 1}),
        ('{"value": {"choices": [{"messages": "yes"}]}, "error": null}', DETAILS, "yes"),
        ("yes", OLD, "yes"),
        ('{"value": "yes"}', OLD, '{"value": "yes"}'),
        ('{"choices": [{"messages": "yes"}]}', OLD_WITH_OPTIONS, "yes"),
        (
            '{"structured_output": [{"raw_message": {"a": 1}, "type": "json"}]}',
            OLD_WITH_OPTIONS | STRUCTURED,
            {"a": 1},
        ),
        (
            '{"choices": [{"messages": "{\\"a\\": 1}"}]}',
            OLD_WITH_OPTIONS | STRUCTURED,
            {"a": 1},
        ),
    ],
)
def test_answer(cell: str, changes: dict[str, Any], answer: object) -> None:
    """Each function's shape is read for what it is, and an answer's text is left alone."""
    assert read(cell, **changes) == answer


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        (None, {}, "nothing (NULL)"),
        (None, OLD, "nothing (NULL)"),
        ('{"value": null, "error": null}', {}, "nothing (NULL)"),
        ('{"value": null, "error": "too long"}', {}, "too long"),
        ('{"error": "too long"}', {}, "too long"),
        ('{"value": null, "error": {"message": "too long", "code": 1}}', {}, "too long"),
        ('{"value": null, "error": {"code": 17}}', {}, '{"code": 17}'),
        ('{"error": {"message": "no such model"}}', OLD_WITH_OPTIONS, "no such model"),
    ],
)
def test_no_answer(cell: object, changes: dict[str, Any], message: str) -> None:
    """A NULL or an error object is a failure in Cortex's own words, for a model by name."""
    with pytest.raises(CompletionError) as error:
        read(cell, **changes)
    assert (error.value.model, error.value.message) == ("m", message)


@pytest.mark.parametrize(
    ("cell", "changes"),
    [("yes", {}), ("{}", {}), ("{}", OLD_WITH_OPTIONS), ('{"value": "x"}', STRUCTURED)],
)
def test_unreadable_answer(cell: str, changes: dict[str, Any]) -> None:
    """A shape that no page of Snowflake's shows is refused, not guessed at, and is shown."""
    with pytest.raises(UnreadableAnswerError) as error:
        read(cell, **changes)
    assert error.value.answer in cell
    assert "which " in str(error.value)


def test_usage() -> None:
    """Cortex's count of tokens is kept, and that of several answers is their sum."""
    tokens = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    cell = {"choices": [{"messages": "yes"}], "usage": tokens}
    answered = question(prompt=["a", "b"], with_usage=True).read([{"value": cell}, {"value": cell}])
    assert answered == (Completion(answer="yes", usage=tokens),) * 2
    assert completion.usage(answered) == {name: 2 * count for name, count in tokens.items()}
    assert completion.usage([Completion(answer="yes")]) is None
    assert question().read(['{"value": "yes"}']) == (Completion(answer="yes"),)
    untold = {"choices": [{"messages": "yes"}], "usage": "much"}
    assert question(with_usage=True).read([{"value": untold}]) == (Completion(answer="yes"),)
    assert completion.usage([Completion(answer="yes", usage={"total_tokens": "?"})]) == {}


def test_some_of_several() -> None:
    """Which prompts have no answer is told by their numbers, never by their words."""
    cells = ['{"value": "yes"}', None, '{"error": "too long"}']
    with pytest.raises(CompletionError) as error:
        question(prompt=["a", "b", "c"]).read(cells)
    assert error.value.model == "m"
    assert error.value.message == "nothing (NULL) (2 of 3 prompts have no answer: number 2, 3)"


def test_ai_complete_asks_for_error_details() -> None:
    """Without error details an error is a bare NULL, and its message lost."""
    call = question(model_parameters={"temperature": 0}).call
    assert call.sql == (
        "SELECT AI_COMPLETE(model => %s, prompt => %s, model_parameters => PARSE_JSON(%s),"
        " return_error_details => TRUE)"
    )
    assert call.values == ("m", "p", '{"temperature": 0}')
    assert not call.only_reads


def test_several_prompts_are_one_statement() -> None:
    """A list travels as one value, and comes back in its order."""
    call = question(prompt=["a", "it's"], with_usage=True, **STRUCTURED).call
    assert call.sql == (
        "SELECT AI_COMPLETE(model => %s, prompt => item.value::VARCHAR, response_format => PARSE_JSON(%s),"
        " show_details => TRUE, return_error_details => TRUE)"
        " FROM TABLE(FLATTEN(PARSE_JSON(%s))) AS item ORDER BY item.index"
    )
    assert call.values == ("m", '{"type": "json"}', '["a", "it\'s"]')


def test_conversation() -> None:
    """Messages travel as one value, too."""
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    call = question(prompt=talk).call
    assert "prompt => PARSE_JSON(%s)" in call.sql
    assert json.loads(str(call.values[1])) == talk
    call = question(prompt=talk, **OLD).call
    assert call.sql == "SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, PARSE_JSON(%s), PARSE_JSON(%s))"
    assert [json.loads(str(value)) for value in call.values[1:]] == [talk, {}]


def test_complete_with_options_takes_messages() -> None:
    """COMPLETE takes text, but with options an array of messages."""
    assert question(**OLD).call.values == ("m", "p")
    call = question(model_parameters={"temperature": 0}, **OLD, **STRUCTURED).call
    assert call.sql == "SELECT SNOWFLAKE.CORTEX.COMPLETE(%s, PARSE_JSON(%s), PARSE_JSON(%s))"
    messages, options = (json.loads(str(value)) for value in call.values[1:])
    assert messages == [{"role": "user", "content": "p"}]
    assert options == {"temperature": 0, "response_format": {"type": "json"}}
    several = question(prompt=["a"], model_parameters={"temperature": 0}, **OLD).call
    assert (
        "ARRAY_CONSTRUCT(OBJECT_CONSTRUCT('role', 'user', 'content', item.value::VARCHAR))"
        in several.sql
    )
    assert several.values == ("m", '{"temperature": 0}', '["a"]')


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " None ",
        b"bytes",
        {"role": "user", "content": "hush"},
        [],
        ["hush", ""],
        ["hush", {"role": "user", "content": "hush"}],
        [{"role": "user"}],
        [b"bytes"],
    ],
)
def test_no_prompt(value: object) -> None:
    """What is nothing to ask is refused by name, and its words are not told."""
    with pytest.raises(ArgumentError, match=r"^prompt ") as error:
        completion.prompt("prompt", value)
    assert "hush" not in str(error.value)


def test_why_it_is_no_prompt() -> None:
    """It is said what it is instead."""
    with pytest.raises(ArgumentError, match="is an empty list: there is nothing to ask"):
        completion.prompt("prompt", [])
    with pytest.raises(
        ArgumentError, match=r"a list of texts, .* and is a list of: bytes, dict, str"
    ):
        completion.prompt("prompt", ["a", {"role": "user"}, b"1"])
    with pytest.raises(ArgumentError, match="a value of type dict"):
        completion.prompt("prompt", {"role": "user"})
    with pytest.raises(ArgumentError, match="it is ' None '"):
        completion.prompt("prompt", " None ")


@pytest.mark.parametrize(
    "value",
    [
        " a ",
        ["a", "b"],
        [{"role": "user", "content": "a"}],
        [{"role": "user", "content": "a", "name": "b"}],
    ],
)
def test_a_prompt_is_asked_as_it_is(value: object) -> None:
    """Nothing is taken from what is to be asked."""
    assert completion.prompt("prompt", value) == value


@pytest.mark.parametrize("prompt", ["\0", ["a", "\0"]])
def test_a_prompt_that_cannot_be_sent(prompt: object) -> None:
    """What Snowflake could not read is refused by name."""
    with pytest.raises(ArgumentError, match=r"^prompt "):
        completion.prompt("prompt", prompt)


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("model", "\0"),
        ("prompt", "\0"),
        ("model_parameters", {"a": b""}),
        ("response_format", {"a": b""}),
    ],
)
def test_what_cannot_be_sent(function: str, argument: str, value: object) -> None:
    """It is refused by name as soon as the question is put, whichever function is asked."""
    with pytest.raises(ArgumentError, match=f"^{argument} "):
        question(function=function, **{argument: value})


def test_prompt_of_any_sequence() -> None:
    """What mapped tasks have returned is no list in Airflow, and asked all the same."""
    assert completion.prompt("prompt", (word for word in ("a", "b"))) == ["a", "b"]


def test_size() -> None:
    """An answer that is too large for an XCom is refused, and it is said what to do."""
    completion.check_size("x" * (completion.MAX_XCOM_BYTES - 2))  # and two quotes
    with pytest.raises(AnswerTooLargeError):
        completion.check_size("x" * (completion.MAX_XCOM_BYTES - 1))
    with pytest.raises(AnswerTooLargeError, match=r"49,402 bytes.*CortexCompleteTableOperator"):
        completion.check_size("x" * 49_400)
