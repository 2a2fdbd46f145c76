"""Rows with which Cortex could not be trained are found before a version is added."""

import json
from collections import Counter

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.datasets.conftest import Run
from tests.datasets.invoices import QUERY, label, row, versions

BAD_ROWS = (
    (row(2, file="@documents/none.pdf"), "missing_files"),
    (row(2, file="documents"), "missing_files"),
    (row(2, prompt="What?"), "unreadable_prompts"),
    (row(2, prompt='"What?"'), "unreadable_prompts"),
    (row(2, prompt="{}"), "unreadable_prompts"),
    (row(2, prompt="[]"), "unreadable_prompts"),
    (row(2, response="9"), "unreadable_responses"),
    (row(2, response="[1]"), "unreadable_responses"),
    (row(2, response='{"number": "9"}'), "unequal_keys"),
    (row(2, response='{"number": "9", "total": "1", "x": "1"}'), "unequal_keys"),
    (row(2, response='{"number": "9", "x": "1"}'), "unequal_keys"),
)
"""Rows that Cortex cannot be trained with, and the figure that counts each."""

MESSAGES = (
    "2 of 12 rows name a file that is not on its stage, or that the role may not read, such as '@doc",
    "4 of 12 rows have a prompt that is no JSON object or array with questions, such as '\"What?\"'",
    "2 of 12 rows have a response that is no JSON object, such as '9'",
    '3 of 12 rows have other keys in the response than labels in the prompt, such as \'{"number": ',
)
"""What the error says of them."""


@pytest.mark.usefixtures("labelled")
def test_rows_that_cannot_be_trained_with_fail_the_task(
    run: Run, cortex_emulator: Emulator
) -> None:
    """The error shows an example of each problem, the report is pushed, and nothing is made."""
    label(cortex_emulator, [row(1), *(bad for bad, _ in BAD_ROWS)])
    result = run()
    assert result.state == "failed"
    assert str(result.error).startswith("query has rows that arctic-extract cannot be trained with")
    assert [message for message in MESSAGES if message not in str(result.error)] == []
    report = result.xcoms["report"]
    counted = Counter(figure for _, figure in BAD_ROWS)
    assert {figure: report[figure] for figure in counted} == counted
    assert versions(cortex_emulator) == []


@pytest.mark.usefixtures("labelled")
def test_all_problems_are_reported_at_once(run: Run) -> None:
    """NULL is one, too."""
    query = f"{QUERY} UNION ALL SELECT NULL, 'x', '[]'"
    error = str(run({"query": query}).error)
    assert "1 of 4 rows have NULL as file, prompt or response, such as 'x'; " in error
    assert "1 of 4 rows have a prompt" in error
    assert "1 of 4 rows have a response" in error


@pytest.mark.usefixtures("labelled")
def test_no_rows_fail_the_task(run: Run) -> None:
    """Cortex could not be trained with nothing."""
    error = str(run({"query": f"{QUERY} WHERE FALSE"}).error)
    assert "cannot be trained with: it has no rows." in error


SCHEMA = {
    "schema": {
        "type": "object",
        "properties": {
            "number": {"type": "string", "description": "What is the number?"},
            "lines": {"type": "object", "properties": {"name": {"type": "array"}}},
        },
    }
}


FORMS: tuple[tuple[object, dict[str, object]], ...] = (
    ({"number": "What is the number?"}, {"number": None}),
    ([["number", "What?"], ["a.b", "Which?"]], {"a.b": "1", "number": "2"}),
    (["number: What is it?", "total : And that?"], {"number": "1", "total": "2"}),
    (["What is it?"], {"What is it?": "1"}),
    (["What is it: a, b or c?"], {"What is it: a, b or c?": "a"}),
    (SCHEMA, {"number": "1", "lines": {"name": ["a"]}}),
    ({"schema": "Which schema?"}, {"schema": "1"}),
)
"""Prompts in each form of a responseFormat, and responses to them."""


@pytest.mark.usefixtures("labelled")
def test_a_prompt_may_have_any_form_of_a_response_format(
    run: Run, cortex_emulator: Emulator
) -> None:
    """Its labels are found in each of them, and counted."""
    texts = [(json.dumps(prompt), json.dumps(response)) for prompt, response in FORMS]
    label(cortex_emulator, [row(1, prompt=asked, response=answer) for asked, answer in texts])
    result = run()
    assert result.state == "success", result
    assert result.xcoms["report"]["questions"] == sum(len(response) for _, response in FORMS)
    assert result.xcoms["report"]["most_questions"] == 2


@pytest.mark.parametrize(("questions", "is_ok"), [(100, True), (101, False)])
@pytest.mark.usefixtures("labelled")
def test_a_document_has_at_most_100_questions(
    questions: int, is_ok: bool, run: Run, cortex_emulator: Emulator
) -> None:
    """Snowflake's page has this limit."""
    text = json.dumps({f"q{number}": "What?" for number in range(questions)})
    label(cortex_emulator, [row(1, prompt=text, response=text)])
    result = run()
    assert result.state == ("success" if is_ok else "failed")
    assert ("1 of 1 rows ask more than 100 questions" in str(result.error)) is not is_ok


@pytest.mark.usefixtures("labelled")
def test_few_documents_are_a_warning(run: Run, log_lines: object) -> None:
    """Snowflake recommends 20: fewer may be enough to try it."""
    assert run().state == "success"
    lines = log_lines()  # type: ignore[operator]
    assert any("The query has 3 different documents. Snowflake recommends" in it for it in lines)


@pytest.mark.usefixtures("labelled")
def test_columns_may_be_in_any_case_and_of_any_type(run: Run, cortex_emulator: Emulator) -> None:
    """The dataset has the three columns as text, and no other one."""
    query = (
        'SELECT 1 AS id, PARSE_JSON("response") AS Response, "file" AS file,'
        f' PARSE_JSON("prompt") AS "PROMPT" FROM ({QUERY} WHERE "file" LIKE \'%.txt\') -- all;'
    )
    result = run({"query": query, "version": "v1"})
    assert result.state == "success", result
    version = cortex_emulator._account.engine.datasets.all()[0][1].versions["v1"]  # noqa: SLF001 - no statement reads it
    assert version.columns == ["file", "prompt", "response"]
    assert {type(cell) for cells in version.rows for cell in cells} == {str}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            'SELECT "file", "prompt" FROM labelled',
            'query has no column response: its columns are "file"',
        ),
        ("SELECT * FROM nothing", "query is not a query that Snowflake can run here: "),
        ("snow://dataset/a/versions/b", "query is not a query that Snowflake can run here: "),
        ("", "query must be non-empty text"),
    ],
)
@pytest.mark.usefixtures("labelled")
def test_a_query_that_cannot_be_used_is_rejected(query: str, message: str, run: Run) -> None:
    """Snowflake compiles it, and does not run it."""
    result = run({"query": query})
    assert result.state == "failed"
    assert str(result.error).startswith(message)
