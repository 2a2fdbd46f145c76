"""What a job is to be, and whether a job is that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cortex.cortex import query
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.request import FineTuneRequest, check_columns
from airflow_provider_cortex.errors import ArgumentError, QueryError, UnsendableError

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)

REQUEST: dict[str, Any] = {
    "model": "tickets",
    "base_model": "llama3.1-8b",
    "training_data": "SELECT * FROM train;",
}
JOB: dict[str, Any] = {
    "id": "ft_1",
    "status": "IN_PROGRESS",
    "base_model": "llama3.1-8b",
    "created_on": BEGAN.timestamp() * 1000,
    "training_data": "SELECT * FROM train",
    "validation_data": "",
}


def request(**changes: Any) -> FineTuneRequest:
    return FineTuneRequest(**REQUEST | changes)


def is_met(job: dict[str, Any], **changes: Any) -> bool:
    return request(**changes).is_met_by(FineTuneJob.parse(JOB | job), since=BEGAN)


@pytest.mark.parametrize(
    ("job", "asked"),
    [
        ({}, {}),
        ({"status": "SUCCESS"}, {}),
        ({"status": "NEW_WORD"}, {}),
        ({"base_model": "LLAMA3.1-8B"}, {}),
        ({"base_model": None, "created_on": None}, {}),
        ({"training_data": " SELECT * FROM train ; "}, {}),
        ({"validation_data": None}, {}),
        ({"validation_data": "SELECT 1;"}, {"validation_data": "SELECT 1"}),
        ({"options": {}}, {}),
        ({"options": {"max_epochs": 3}}, {"options": {"max_epochs": "3"}}),
        ({}, {"options": {"max_epochs": 3}}),
        ({"model": "DB.S.TICKETS"}, {}),
        ({"model": "DB.S.tickets_2"}, {}),
        ({"model": 'DB.S."my model_1"'}, {"model": '"my model"'}),
        ({"model": "DB.S.tickets"}, {"model": "@other.path.tickets"}),
    ],
)
def test_is_met(job: dict[str, Any], asked: dict[str, Any]) -> None:
    """A job that agrees in all that Cortex tells is the one that was asked for."""
    assert is_met(job, **asked)


@pytest.mark.parametrize(
    ("job", "asked"),
    [
        ({"status": "ERROR"}, {}),
        ({"status": "CANCELED"}, {}),
        ({"base_model": "mistral-7b"}, {}),
        ({"created_on": (BEGAN - timedelta(milliseconds=1)).timestamp() * 1000}, {}),
        ({"training_data": "SELECT * FROM trains"}, {}),
        ({"training_data": None}, {}),
        ({"validation_data": "SELECT 1"}, {}),
        ({}, {"validation_data": "SELECT 1"}),
        ({"options": {"max_epochs": 2}}, {"options": {"max_epochs": 3}}),
        ({"options": {"max_epochs": 2}}, {}),
        ({"model": "DB.S.letters"}, {}),
        ({"model": "a b"}, {}),
    ],
)
def test_is_not_met(job: dict[str, Any], asked: dict[str, Any]) -> None:
    """A job that differs in anything is not."""
    assert not is_met(job, **asked)


def test_queries() -> None:
    """Only queries are compiled: what is kept elsewhere is none."""
    data = {"training_data": "train", "validation_data": "snow://dataset/x"}
    assert request(**data).queries == {"training_data": "SELECT * FROM train"}


@pytest.mark.parametrize(
    ("written", "enclosable"),
    [
        (" SELECT 1 ;\n", "SELECT 1"),
        ("SELECT 1 -- one", "SELECT 1 -- one\n"),
        ("-- one\nSELECT 1", "-- one\nSELECT 1"),
        ("SELECT ';'", "SELECT ';'"),
    ],
)
def test_enclosable(written: str, enclosable: str) -> None:
    """A query can stand in brackets, and is still the same one."""
    assert query.enclosable(written) == enclosable
    assert query.normal(enclosable) == query.normal(written)


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
    with pytest.raises(UnsendableError, match="options"):
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
