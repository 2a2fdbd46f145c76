"""What a terminal tells of a job."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cli import formatting
from airflow_provider_cortex.cortex.job import FineTuneJob

ID = "ft_6556e15c-8f12-4d94-8cb0-87e6f2fd2299"
CREATED = 1_780_000_000_123
"""Epoch milliseconds."""


def job(**fields: Any) -> FineTuneJob:
    """Return a job."""
    return FineTuneJob.parse({"id": ID, "status": "IN_PROGRESS", "created_on": CREATED} | fields)


def test_listed() -> None:
    """A list has moments as ISO 8601 has them, in UTC, and figures as numbers."""
    over = job(
        status="SUCCESS",
        progress=1.0,
        model="DB.AI.TRIAGE",
        finished_on=CREATED + 90_500,
        trained_tokens=12_345,
        training_result={"training_loss": 0.5, "validation_loss": 0.75},
    )
    told = formatting.listed(over, now=CREATED / 1000 + 1000)
    assert told["created_on"] == "2026-05-28T20:26:40.123000+00:00"
    assert told["finished_on"] == "2026-05-28T20:28:10.623000+00:00"
    assert (told["duration"], told["trained_tokens"], told["validation_loss"]) == (
        90.5,
        12_345,
        0.75,
    )
    assert "family" not in told
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 60.0),
        ({"created_on": CREATED + 120_000}, 0.0),
        ({"created_on": None}, None),
        ({"status": "ERROR"}, None),
        ({"status": "ERROR", "finished_on": CREATED + 5000}, 5.0),
    ],
)
def test_duration(fields: dict[str, Any], seconds: float | None) -> None:
    """A job that runs has run until now; of one that is over nobody knows for how long, unless Cortex tells."""
    assert formatting.listed(job(**fields), now=CREATED / 1000 + 60)["duration"] == seconds


def test_described() -> None:
    """A record is told whole, unknown fields and all, with moments as ISO 8601 has them."""
    told = formatting.described(job(new_field=[1], finished_on="soon", training_data="SELECT 1"))
    assert told == {
        "id": ID,
        "status": "IN_PROGRESS",
        "created_on": "2026-05-28T20:26:40.123000+00:00",
        "finished_on": "soon",
        "training_data": "SELECT 1",
        "new_field": [1],
    }
    assert list(told)[:2] == ["id", "status"]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("progress", 0.333, "33 %"),
        ("created_on", "2026-05-28T22:26:40.123000+02:00", "2026-05-28T20:26:40Z"),
        ("created_on", "soon", "soon"),
        ("finished_on", 12, "12"),
        ("duration", 9000, "2 h 30 min"),
        ("trained_tokens", 12345, "12,345"),
        ("trained_tokens", "many", "many"),
        ("training_loss", 0.123456, "0.1235"),
        ("validation_loss", None, ""),
        ("error", {"code": "E", "message": "ü"}, '{"code": "E", "message": "ü"}'),
        ("training_data", "SELECT 1\n  FROM\tt;\x1b[31m", "SELECT 1 FROM t; [31m"),
    ],
)
def test_readable(name: str, value: object, shown: str) -> None:
    """A person reads units, one line, and nothing that would steer the terminal; what is odd stays as it is."""
    assert formatting.readable(name, value) == shown


def line(**cells: str) -> dict[str, str]:
    """Return a line of the table of jobs."""
    return dict.fromkeys(formatting.COLUMNS, "") | {"id": ID, "status": "IN_PROGRESS"} | cells


def test_fitting() -> None:
    """A table that is too wide does without what is needed least, and never without id, status and progress."""
    lines = [line(model="DB.AI.TRIAGE", base_model="llama3.1-8b"), line(error="It broke.")]
    shown = [formatting.fitting(lines, width=width) for width in (200, 140, 80, 1)]
    assert shown[0] == list(formatting.COLUMNS)
    assert "error" in shown[1]
    assert "trained_tokens" not in shown[1]
    assert shown[2] == ["id", "status", "progress", "duration"]
    assert shown[3] == ["id", "status", "progress"]


def test_a_table_just_fits() -> None:
    """Nothing is left out of a table that is just as wide as the terminal."""
    lines = [{"id": "1234", "duration": "12345678"}]
    assert formatting.fitting(lines, width=15) == ["id", "duration"]
    assert formatting.fitting(lines, width=14) == ["id"]
