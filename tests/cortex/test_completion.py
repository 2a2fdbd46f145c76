"""Questions to a model, and its answers."""

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
    """Return a question for AI_COMPLETE without a response format, with *changes*."""
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
def test_each_function_has_its_own_form_of_answer(
    cell: str, changes: dict[str, Any], answer: object
) -> None:
    """The answer's text is not changed."""
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
def test_null_or_an_error_object_is_an_error(
    cell: object, changes: dict[str, Any], message: str
) -> None:
    """The error has the model's name and Cortex's own message."""
    with pytest.raises(CompletionError) as error:
        read(cell, **changes)
    assert (error.value.model, error.value.message) == ("m", message)


@pytest.mark.parametrize(
    ("cell", "changes"),
    [("yes", {}), ("{}", {}), ("{}", OLD_WITH_OPTIONS), ('{"value": "x"}', STRUCTURED)],
)
def test_an_undocumented_form_of_answer_is_an_error(cell: str, changes: dict[str, Any]) -> None:
    """The error shows the answer."""
    with pytest.raises(UnreadableAnswerError) as error:
        read(cell, **changes)
    assert error.value.answer in cell
    assert "which " in str(error.value)


def test_token_counts_are_summed() -> None:
    """An answer keeps Cortex's own counts; counts that are not numbers are left out."""
    tokens = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    cell = {"choices": [{"messages": "yes"}], "usage": tokens}
    answered = question(prompt=["a", "b"], with_usage=True).read([{"value": cell}, {"value": cell}])
    assert answered == (Completion(answer="yes", usage=tokens),) * 2
    assert completion.usage(answered) == {name: 2 * count for name, count in tokens.items()}
    assert completion.usage([Completion(answer="yes")]) is None
    assert question().read(['{"value": "yes"}']) == (Completion(answer="yes"),)
    unreadable = {"choices": [{"messages": "yes"}], "usage": "much"}
    assert question(with_usage=True).read([{"value": unreadable}]) == (Completion(answer="yes"),)
    assert completion.usage([Completion(answer="yes", usage={"total_tokens": "?"})]) == {}


def test_unanswered_prompts_are_named_by_number() -> None:
    """The error never quotes a prompt."""
    cells = ['{"value": "yes"}', None, '{"error": "too long"}']
    with pytest.raises(CompletionError) as error:
        question(prompt=["a", "b", "c"]).read(cells)
    assert error.value.model == "m"
    assert error.value.message == "nothing (NULL) (2 of 3 prompts have no answer: number 2, 3)"


def test_ai_complete_asks_for_error_details() -> None:
    """Without them an error is just NULL, and its message is lost."""
    call = question(model_parameters={"temperature": 0}).call
    assert call.sql == (
        "SELECT AI_COMPLETE(model => %s, prompt => %s, model_parameters => PARSE_JSON(%s),"
        " return_error_details => TRUE)"
    )
    assert call.values == ("m", "p", '{"temperature": 0}')
    assert not call.only_reads


def test_several_prompts_are_one_statement() -> None:
    """A list is bound as one value; the answers have its order."""
    call = question(prompt=["a", "it's"], with_usage=True, **STRUCTURED).call
    assert call.sql == (
        "SELECT AI_COMPLETE(model => %s, prompt => item.value::VARCHAR, response_format => PARSE_JSON(%s),"
        " show_details => TRUE, return_error_details => TRUE)"
        " FROM TABLE(FLATTEN(PARSE_JSON(%s))) AS item ORDER BY item.index"
    )
    assert call.values == ("m", '{"type": "json"}', '["a", "it\'s"]')


def test_a_conversation_is_one_value() -> None:
    """Its messages are bound as JSON."""
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
def test_an_invalid_prompt_is_rejected(value: object) -> None:
    """The error names the argument, and never quotes the prompt."""
    with pytest.raises(ArgumentError, match=r"^prompt ") as error:
        completion.prompt("prompt", value)
    assert "hush" not in str(error.value)


def test_the_error_says_what_is_wrong_with_a_prompt() -> None:
    """It names the types that were given."""
    with pytest.raises(ArgumentError, match="is an empty list, so there is nothing to ask"):
        completion.prompt("prompt", [])
    with pytest.raises(ArgumentError, match=r"a list of texts, .*; got a list of bytes, dict, str"):
        completion.prompt("prompt", ["a", {"role": "user"}, b"1"])
    with pytest.raises(ArgumentError, match="a value of type dict"):
        completion.prompt("prompt", {"role": "user"})
    with pytest.raises(ArgumentError, match="got ' None '"):
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
def test_a_valid_prompt_stays_as_it_is(value: object) -> None:
    """Whitespace and unknown fields are kept."""
    assert completion.prompt("prompt", value) == value


@pytest.mark.parametrize("prompt", ["\0", ["a", "\0"]])
def test_a_prompt_that_cannot_be_sent_is_rejected(prompt: object) -> None:
    """The error names the argument."""
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
def test_an_argument_that_cannot_be_sent_is_rejected(
    function: str, argument: str, value: object
) -> None:
    """For both functions, when the question is created."""
    with pytest.raises(ArgumentError, match=f"^{argument} "):
        question(function=function, **{argument: value})


def test_prompts_may_be_any_iterable() -> None:
    """In Airflow, the return values of mapped tasks are not a list."""
    assert completion.prompt("prompt", (word for word in ("a", "b"))) == ["a", "b"]


def test_an_answer_too_large_for_an_xcom_is_rejected() -> None:
    """The error suggests the operator for tables."""
    completion.check_size("x" * (completion.MAX_XCOM_BYTES - 2))  # and two quotes
    with pytest.raises(AnswerTooLargeError):
        completion.check_size("x" * (completion.MAX_XCOM_BYTES - 1))
    with pytest.raises(AnswerTooLargeError, match=r"49,402 bytes.*CortexCompleteTableOperator"):
        completion.check_size("x" * 49_400)
