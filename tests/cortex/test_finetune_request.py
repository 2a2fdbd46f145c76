"""The arguments of a new job are validated."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex.finetune_request import FineTuneRequest, check_columns
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import ArgumentError, QueryError, UnsupportedValueError

REQUEST: dict[str, Any] = {
    "model": "tickets",
    "base_model": "llama3.1-8b",
    "training_data": "SELECT * FROM train;",
}
JOB: dict[str, Any] = {
    "id": "ft_1",
    "status": "IN_PROGRESS",
    "base_model": "llama3.1-8b",
    "training_data": "SELECT * FROM train",
    "validation_data": "",
}


def request(**changes: Any) -> FineTuneRequest:
    return FineTuneRequest(**REQUEST | changes)


@pytest.mark.parametrize(
    ("job", "asked"),
    [
        ({}, {}),
        ({"base_model": "LLAMA3.1-8B"}, {}),
        ({"base_model": None, "training_data": None, "validation_data": None}, {}),
        ({"options": {}}, {"options": {"max_epochs": 3}}),
        ({"options": {"max_epochs": 3, "new": 1}}, {"options": {"max_epochs": "3"}}),
        ({"options": {"max_epochs": 3}}, {}),
    ],
)
def test_a_job_with_the_same_arguments_has_no_differences(
    job: dict[str, Any], asked: dict[str, Any]
) -> None:
    """A field that Cortex leaves out, or adds by itself, does not count."""
    assert request(**asked).differences(FineTuneJob.parse(JOB | job)) == []


@pytest.mark.parametrize(
    ("job", "different"),
    [
        ({"base_model": "mistral-7b"}, ["base_model"]),
        ({"training_data": "SELECT * FROM trains"}, ["training_data"]),
        ({"validation_data": "SELECT 1"}, ["validation_data"]),
        ({"options": {"max_epochs": 2}}, ["options"]),
        ({"training_data": "x", "base_model": "x"}, ["base_model", "training_data"]),
    ],
)
def test_differences_name_the_arguments(job: dict[str, Any], different: list[str]) -> None:
    """An existing job may have other arguments than the request."""
    asked = request(options={"max_epochs": 3})
    assert asked.differences(FineTuneJob.parse(JOB | job)) == different


def test_only_queries_are_compiled() -> None:
    """The path of a dataset is not a query."""
    data = {"training_data": "train", "validation_data": "snow://dataset/x"}
    assert request(**data).queries == {"training_data": "SELECT * FROM train"}


def test_the_path_of_a_dataset_is_stripped() -> None:
    """Apart from whitespace, it is sent as it is."""
    assert request(training_data=" snow://a--b ").training_data == "snow://a--b"


@pytest.mark.parametrize(
    ("argument", "value", "problem"),
    [
        ("model", "my model", "'my model'"),
        ("base_model", "llama 3", "'llama 3'"),
        (
            "options",
            {"max_epochs": 0},
            "a whole number from 1 to 10 as max_epochs, or no max_epochs; got 0.",
        ),
        ("options", {"max_epochs": 11}, "got 11."),
        ("options", {"max_epochs": 3.0}, "got 3.0."),
        ("options", {"max_epochs": True}, "got True."),
        ("options", {"max_epochs": b""}, "options"),
    ],
)
def test_an_invalid_argument_is_rejected(argument: str, value: Any, problem: str) -> None:
    """The error names the argument, and shows its value."""
    with pytest.raises(ArgumentError, match=f"^{argument} ") as caught:
        request(**{argument: value})
    assert (caught.value.argument, caught.value.value) == (argument, value)
    assert problem in str(caught.value)


@pytest.mark.parametrize("epochs", [1, 10, "10", " 3 "])
def test_epochs_may_be_text(epochs: Any) -> None:
    """A template renders a number to text."""
    assert request(options={"max_epochs": epochs}).options == {"max_epochs": int(epochs)}


def test_unknown_options_are_accepted() -> None:
    """Options must be a mapping; only max_epochs is checked."""
    with pytest.raises(UnsupportedValueError, match="options"):
        request(options=["max_epochs"])
    with pytest.raises(ArgumentError, match="'three'"):
        request(options={"max_epochs": "three"})
    assert request(options={"b": 1, "a": 2, "max_epochs": 1}).unknown_options == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "has no column PROMPT and no column COMPLETION"),
        ([], "in capitals. Add an alias: SELECT … AS PROMPT, … AS COMPLETION."),
        (["PROMPT", "ANSWER"], 'has no column COMPLETION: its columns are "PROMPT", "ANSWER". '),
        (["prompt", "COMPLETION"], 'SELECT "prompt" AS PROMPT.'),
        (["prompt"], "in capitals (quoted names are case-sensitive)."),
    ],
)
def test_a_query_without_the_columns_is_rejected(columns: list[str], message: str) -> None:
    """The error names the missing columns, and suggests an alias."""
    with pytest.raises(QueryError, match="training_data") as caught:
        check_columns("training_data", columns)
    assert message in str(caught.value)


def test_a_query_may_have_more_columns() -> None:
    """Cortex reads only its two columns."""
    check_columns("training_data", ["ID", "COMPLETION", "PROMPT"])
