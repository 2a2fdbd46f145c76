"""The arguments of a new job, checked."""

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
def test_no_differences(job: dict[str, Any], asked: dict[str, Any]) -> None:
    """What Cortex does not report, or adds by itself, is no difference to what was asked for."""
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
def test_differences(job: dict[str, Any], different: list[str]) -> None:
    """Each argument is named that a job has otherwise than it is asked for now."""
    asked = request(options={"max_epochs": 3})
    assert asked.differences(FineTuneJob.parse(JOB | job)) == different


def test_queries() -> None:
    """Only queries are compiled: what is kept elsewhere is none."""
    data = {"training_data": "train", "validation_data": "snow://dataset/x"}
    assert request(**data).queries == {"training_data": "SELECT * FROM train"}


def test_data_elsewhere() -> None:
    """A dataset's or a stage's path is sent as it is, but for blanks."""
    assert request(training_data=" snow://a--b ").training_data == "snow://a--b"


@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("model", "my model", "'my model'"),
        ("base_model", "llama 3", "'llama 3'"),
        ("options", {"max_epochs": 0}, "whole number from 1 to 10"),
        ("options", {"max_epochs": 11}, "has a max_epochs of 11,"),
        ("options", {"max_epochs": 3.0}, "has a max_epochs of 3.0,"),
        ("options", {"max_epochs": True}, "has a max_epochs of True,"),
        ("options", {"max_epochs": b""}, "options"),
    ],
)
def test_refused(argument: str, value: Any, told: str) -> None:
    """What is of no use is refused by name, with what it is."""
    with pytest.raises(ArgumentError, match=f"^{argument} ") as caught:
        request(**{argument: value})
    assert (caught.value.argument, caught.value.value) == (argument, value)
    assert told in str(caught.value)


@pytest.mark.parametrize("epochs", [1, 10, "10", " 3 "])
def test_epochs(epochs: Any) -> None:
    """A number of epochs may be what a template has rendered to."""
    assert request(options={"max_epochs": epochs}).options == {"max_epochs": int(epochs)}


def test_options_are_checked() -> None:
    """Options are a mapping that can be sent, and others than max_epochs are named, not judged."""
    with pytest.raises(UnsupportedValueError, match="options"):
        request(options=["max_epochs"])
    with pytest.raises(ArgumentError, match="'three'"):
        request(options={"max_epochs": "three"})
    assert request(options={"b": 1, "a": 2, "max_epochs": 1}).unknown_options == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "has no column PROMPT and no column COMPLETION"),
        ([], "in capitals. Name what is missing: SELECT … AS PROMPT, … AS COMPLETION, and so on"),
        (["PROMPT", "ANSWER"], 'has no column COMPLETION: its columns are "PROMPT", "ANSWER". '),
        (["prompt", "COMPLETION"], 'SELECT "prompt" AS PROMPT, and so on'),
        (["prompt"], 'and to Snowflake a quoted "name" in small letters is another one.'),
    ],
)
def test_columns(columns: list[str], message: str) -> None:
    """A missing column is told by name, and how to alias what there is."""
    with pytest.raises(QueryError, match="training_data") as caught:
        check_columns("training_data", columns)
    assert message in str(caught.value)


def test_columns_that_are_there() -> None:
    """More columns than Cortex reads do no harm."""
    check_columns("training_data", ["ID", "COMPLETION", "PROMPT"])
