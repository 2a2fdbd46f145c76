"""Comments, terminators and literals in the SQL that users write."""

import pytest

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from tests.ticket_table import (
    MODEL,
    PAIRS,
    QUERY,
    add_model,
    answers,
    complete_table,
    create_tickets,
    fine_tune,
    trained,
)
from tests.worker import Worker

ENDS = {
    "a comment": " // all",
    "a comment of a comment": " -- all // of them",
    "a comment on a line of its own": "\n// all\n",
    "a comment with a quote": " // it's all",
    "a semicolon and a comment": "; -- weekly",
    "a comment and a semicolon": " // weekly\n;",
    "a block comment and a comment": " /* all */ // weekly",
    "a semicolon of Windows": ";\r\n-- weekly\r\n",
}
"""Ends of a query that would swallow the closing parenthesis after it, or break it."""

END = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)

TEXTS = {
    "comment": "a -- b",
    "slashes": "https://example.com/a",
    "semicolon": "a; b",
    "block": "a /* b",
    "whole block": "a /* b */ c",
    "all": "it's https://a.b/c;d--e/*f*/ // g",
    "brackets": "['a', \"b\"]; -- c",
    "only": "//",
}
"""Literals whose text looks like SQL."""

TEXT = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def literal(text: str) -> str:
    """Return an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture
def tickets(connection: str, cortex_emulator: Emulator) -> None:
    """Have a table of labelled tickets."""
    create_tickets(cortex_emulator)


@pytest.fixture
def model(cortex_emulator: Emulator) -> str:
    """Have a model that has learned the table."""
    return add_model(cortex_emulator)


@END
@pytest.mark.parametrize("validate", [True, False])
def test_the_end_of_training_data_is_removed(
    validate: bool, end: str, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A comment or semicolon after the data is not sent as a part of it, validated or not."""
    data = {"training_data": QUERY + end, "validation_data": "tickets" + end}
    result = worker.run(lambda: fine_tune(**data, validate=validate))
    assert result.state == "success", result
    made = trained(cortex_emulator)
    assert (made.pairs, made.validation_pairs) == (PAIRS, PAIRS)


@END
@pytest.mark.parametrize(
    ("source", "deferrable"), [("tickets", False), ("SELECT prompt FROM tickets", True)]
)
def test_the_end_of_a_source_and_an_expression_is_removed(
    source: str,
    deferrable: bool,
    end: str,
    tickets: None,
    model: str,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """The same for the rows to answer, and for the expression for their prompts."""
    expression = f"CASE prompt WHEN 'red' THEN 'green' ELSE 'red' END{end}"
    result = worker.run(
        lambda: complete_table(
            source=source + end, prompt_expression=expression, deferrable=deferrable
        )
    )
    assert result.state == "success", result
    assert answers(cortex_emulator) == [("green", "stop"), ("red", "go")]


@END
def test_the_hook_removes_the_end_of_a_query(
    end: str, tickets: None, cortex_emulator: Emulator
) -> None:
    """The same for queries that the hook is called with."""
    with CortexHook() as hook:
        assert hook.columns("data", QUERY + end) == ("PROMPT", "COMPLETION")
        assert hook.columns("data", QUERY + end, "PROMPT") == ("PROMPT",)
        job_id = hook.create("lights", "llama3.1-8b", QUERY + end, validation_data=QUERY + end)
        assert hook.describe(job_id).outcome() == MODEL
    made = trained(cortex_emulator)
    assert (made.pairs, made.validation_pairs) == (PAIRS, PAIRS)


@pytest.mark.parametrize("comment", ["-- the prompt", "// the prompt", "/* the prompt */"])
def test_a_comment_between_two_lines_ends_with_its_line(
    comment: str, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A comment between two lines of a query ends with its line, and the next line counts."""
    data = f"SELECT prompt, {comment}\n completion // and that\nFROM tickets\n{comment}"
    result = worker.run(lambda: fine_tune(training_data=data))
    assert result.state == "success", result
    assert trained(cortex_emulator).pairs == PAIRS


@TEXT
def test_a_literal_in_training_data_arrives_whole(
    text: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A literal that looks like a comment or an end arrives whole."""
    query = f"SELECT {literal(text)} AS prompt, {literal('to ' + text)} AS completion"
    data = {"training_data": f"{query}; // all", "validation_data": f"{query} -- all"}
    result = worker.run(lambda: fine_tune(**data))
    assert result.state == "success", result
    made = trained(cortex_emulator)
    assert made.pairs == made.validation_pairs == ((text, f"to {text}"),)


@TEXT
def test_a_literal_in_a_source_and_an_expression_arrives_whole(
    text: str, tickets: None, model: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """It arrives whole in the table of answers, and at the model, too."""
    cortex_emulator.faults.add("error", at="complete", prompt=f"say {text}!", message="all of it")
    source = f"SELECT {literal(text)} AS prompt, {literal(text)} AS {quoted(text)} // all"
    expression = f"'say ' || prompt || {literal('!')} -- please"
    result = worker.run(
        lambda: complete_table(source=source, prompt_expression=expression, max_error_rate=1)
    )
    assert result.state == "success", result
    ((prompt, again, error),) = answers(cortex_emulator, f"prompt, {quoted(text)}, error")
    assert prompt == again == text
    assert "all of it" in error


def quoted(name: str) -> str:
    """Return a quoted identifier, whatever the name contains."""
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize(
    "expression",
    ["['a]', '-- b']", "['a[', '; b']", "['// a', 'b]']", "[ARRAY_CONSTRUCT('a]'), '/* b']"],
)
def test_a_literal_in_an_array_ends_neither_array_nor_query(expression: str) -> None:
    """The text of a literal in an array ends neither the array nor the query."""
    sql = f"SELECT {expression} AS labels, prompt FROM tickets"
    assert source_query.without_terminator("training_data", f"{sql}; -- all") == sql
    assert source_query.without_terminator("training_data", f"{sql} // all") == sql


@pytest.mark.parametrize(
    ("data", "base_model"),
    [
        ("snow://dataset/db.schema.ds/versions/v1", "arctic-extract"),
        ("@stage/train.jsonl", "llama3.1-8b"),
    ],
    ids=["snow", "stage"],
)
def test_a_byte_order_mark_before_an_address_is_removed(
    data: str, base_model: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A byte order mark is no part of an address of data: Cortex would not know it."""
    marked = f"\ufeff{data}\r\n"
    arguments = {"training_data": marked, "validation_data": marked, "base_model": base_model}
    result = worker.run(lambda: fine_tune(**arguments))
    assert result.state == "success", result
    with CortexHook() as hook:
        job = hook.describe(result.xcoms["return_value"])
    assert (job.training_data, job.validation_data) == (data, data)
