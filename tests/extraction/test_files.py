"""Some documents are read by one statement, and their answers are XComs."""

from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexExtractOperator
from tests.extraction.invoices import MISSING, MODEL, QUESTIONS, Extract, invoice

FILES = [f"@docs/new/{number}.txt" for number in (13, 10, 11)]


def test_answers_come_in_the_order_of_the_files(extract: Extract, account: Emulator) -> None:
    """One statement reads all files, and the answers are objects in the files' order."""
    before = len(account.statements)
    result = extract(model=MODEL, files=FILES)
    assert result.xcoms["return_value"] == [invoice(number)[1] for number in (13, 10, 11)]
    assert "errors" not in result.xcoms
    sent = [one.sql for one in account.statements[before:] if "AI_EXTRACT" in one.sql]
    assert len(sent) == 1


def test_one_file_has_one_object(extract: Extract, account: Emulator) -> None:
    """A single file has its answers as one object; scores come in the same form."""
    result = extract(model=MODEL, file=FILES[0], scores=True)
    assert result.xcoms["return_value"] == invoice(13)[1]
    assert result.xcoms["scores"].keys() == {"number", "total"}


def test_a_tuned_model_knows_its_questions(extract: Extract, account: Emulator) -> None:
    """Without a response format a tuned model answers what it was tuned with."""
    result = extract(model=MODEL, file=FILES[0], response_format=None)
    assert result.xcoms["return_value"] == invoice(13)[1]


def test_the_base_model_reads_text(extract: Extract) -> None:
    """Without a model the base model reads; a text needs no file."""
    result = extract(text="Total: 12 EUR\nBye", response_format={"total": "What is the total?"})
    assert result.xcoms["return_value"] == {"total": "12 EUR"}


def test_a_missing_file_is_an_error_of_its_own(
    extract: Extract, account: Emulator, log_lines: Any
) -> None:
    """By default one file without answers fails the task, which names it; the rest may be kept."""
    files = [FILES[0], "@docs/new/none.txt"]
    result = extract(model=MODEL, files=files)
    assert result.state == "failed", "a retry would pay for the others again"
    assert f"@docs/new/none.txt: {MISSING} (1 of 2 files have no answers)" in str(result.error)
    assert any("No answers from @docs/new/none.txt" in line for line in log_lines())
    result = extract(model=MODEL, files=files, max_error_rate=0.5)
    assert result.xcoms["return_value"] == [invoice(13)[1], None]
    assert result.xcoms["errors"] == {"@docs/new/none.txt": MISSING}


def test_an_answer_that_is_too_large_fails_the_task(extract: Extract) -> None:
    """Answers that are too large for an XCom fail the task without a retry, unless none is kept."""
    text = "Total: " + "9" * 60_000
    arguments = {"text": text, "response_format": {"total": "What is the total?"}}
    result = extract(**arguments)
    assert result.state == "failed"
    assert "an XCom should have at most" in str(result.error)
    assert "Use CortexExtractTableOperator" in str(result.error)
    assert extract(**arguments, do_xcom_push=False).state == "success"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"file": "docs/1.pdf"}, "files must be a path on a named stage"),
        ({"file": FILES[0], "response_format": None}, "response_format is needed"),
        ({"file": FILES[0], "response_format": {"a": 1}}, "response_format must be"),
        ({"file": ""}, "file must be non-empty text"),
        ({"files": [FILES[0], None]}, "files must be non-empty text"),
        ({"file": FILES[0], "model": " "}, "model must be non-empty text"),
    ],
)
def test_an_invalid_argument_is_refused_before_the_login(
    arguments: dict[str, Any], problem: str, extract: Extract, stage: Emulator
) -> None:
    """An argument that renders to nonsense fails the task by its name, before a login."""
    before = len(stage.statements)
    result = extract(**arguments)
    assert result.state == "failed"
    assert problem in str(result.error)
    assert len(stage.statements) == before


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"file": "@docs/1.pdf", "text": "a"},
        {"file": "@docs/1.pdf", "files": ["@docs/1.pdf"]},
        {"text": "a", "max_error_rate": 2},
    ],
)
def test_an_invalid_task_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    """Exactly one document argument, and a rate from 0 to 1."""
    with pytest.raises(ValueError, match=r"give one of file, files and text|max_error_rate"):
        CortexExtractOperator(task_id="extract", **arguments)


def test_the_hook_extracts_too(account: Emulator, connection: str) -> None:
    """A task of the user's own gets the same from the hook."""
    with CortexHook(connection) as hook:
        (found,) = hook.extract([FILES[0]], model=MODEL, response_format=QUESTIONS)
    assert found.answers == invoice(13)[1]
