"""The arguments of a new job are validated."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.dataset import DatasetVersion
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
    data = {"training_data": "train", "validation_data": "@stage/x"}
    assert request(**data).queries == {"training_data": "SELECT * FROM train"}


DATASET = "snow://dataset/db.s.invoices/versions/v1"


def extraction(**changes: Any) -> FineTuneRequest:
    return request(**{"base_model": "arctic-extract", "training_data": DATASET} | changes)


@pytest.mark.parametrize("base_model", ["arctic-extract", "Arctic-EXTRACT"])
@pytest.mark.parametrize("model", ["invoices", "@invoices", '@db.s."my invoices"'])
def test_a_model_for_documents_is_trained_with_datasets(base_model: str, model: str) -> None:
    """They are versions, and not compiled as queries; apart from whitespace, all is sent as it is."""
    found = extraction(base_model=base_model, model=model, training_data=f" {DATASET}\n")
    assert (found.training_data, found.model, found.base_model) == (DATASET, model, base_model)
    assert found.queries == {}
    parts = identifiers.parse_argument("dataset", "db.s.invoices")
    assert found.datasets == {"training_data": DatasetVersion(parts, "v1")}


@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
@pytest.mark.parametrize("data", ["SELECT 1", "invoices", "@stage/x.jsonl", "-- nothing"])
def test_a_model_for_documents_is_trained_with_nothing_else(argument: str, data: str) -> None:
    """The error names the argument, and what makes a dataset of a query."""
    with pytest.raises(ArgumentError, match=f"^{argument} must be the address of a dat") as caught:
        extraction(**{argument: data})
    assert "CortexCreateDatasetOperator makes a dataset" in str(caught.value)


@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
def test_a_model_for_text_is_not_trained_with_a_dataset(argument: str) -> None:
    """The error names both ways to correct it."""
    with pytest.raises(ArgumentError, match=f"^{argument} is a dataset") as caught:
        request(**{argument: DATASET})
    assert "Give a query or a table's name, or another base_model." in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "snow://dataset/db.s.invoices",
        "snow://dataset/db.s.invoices/versions/",
        "snow://dataset/db.s.invoices/versions/v1/data.parquet",
        "snow://dataset/a.db.s.invoices/versions/v1",
        "snow://dataset/my invoices/versions/v1",
        "snow://dataset//versions/v1",
        "snow://stage/db.s.invoices/versions/v1",
        "snow://dataset/db.s.invoices/versions/v 1",
    ],
)
def test_an_address_that_names_no_version_is_rejected(address: str) -> None:
    """The error shows the right form."""
    with pytest.raises(ArgumentError, match="training_data must be the address of a d") as caught:
        extraction(training_data=address)
    assert "/versions/<version>; got '" in str(caught.value)


@pytest.mark.parametrize("epochs", [1, 0, 11, "1"])
def test_a_model_for_documents_is_trained_for_2_to_10_epochs(epochs: Any) -> None:
    """Its page has other bounds than the one for text."""
    with pytest.raises(ArgumentError, match="options must have a whole number from 2 to 10"):
        extraction(options={"max_epochs": epochs})
    assert extraction(options={"max_epochs": "2"}).options == {"max_epochs": 2}


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
