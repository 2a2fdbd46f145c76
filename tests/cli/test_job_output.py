"""How a job is written as records and as text."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cli import job_output
from airflow_provider_cortex.cortex.job import FineTuneJob

ID = "ft_6556e15c-8f12-4d94-8cb0-87e6f2fd2299"
CREATED = 1_780_000_000_123
"""Epoch milliseconds."""


def job(**fields: Any) -> FineTuneJob:
    """Return a job."""
    return FineTuneJob.parse({"id": ID, "status": "IN_PROGRESS", "created_on": CREATED} | fields)


def test_summary_record_has_iso_times_and_numbers() -> None:
    """A list has times as ISO 8601 in UTC, and figures as numbers."""
    finished = job(
        status="SUCCESS",
        progress=1.0,
        model="DB.AI.TRIAGE",
        finished_on=CREATED + 90_500,
        trained_tokens=12_345,
        training_result={"training_loss": 0.5, "validation_loss": 0.75},
    )
    record = job_output.summary_record(finished, now=CREATED / 1000 + 1000)
    assert record == {
        "id": ID,
        "status": "SUCCESS",
        "is_finished": True,
        "progress": 1.0,
        "model": "DB.AI.TRIAGE",
        "base_model": None,
        "created_on": "2026-05-28T20:26:40.123000+00:00",
        "finished_on": "2026-05-28T20:28:10.623000+00:00",
        "trained_tokens": 12_345,
        "training_loss": 0.5,
        "validation_loss": 0.75,
        "error": None,
        "seconds_left": None,
        "duration": 90.5,
    }
    assert json.loads(json.dumps(record)) == record


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
def test_duration_ends_now_or_when_the_job_finished(
    fields: dict[str, Any], seconds: float | None
) -> None:
    """The duration of a running job grows; that of a finished one needs both times."""
    record = job_output.summary_record(job(**fields), now=CREATED / 1000 + 60)
    assert record["duration"] == seconds


def test_full_record_keeps_unknown_fields() -> None:
    """A full record has all fields, unknown ones too, with times as ISO 8601."""
    record = job_output.full_record(
        job(new_field=[1], finished_on="soon", training_data="SELECT 1")
    )
    assert record == {
        "id": ID,
        "status": "IN_PROGRESS",
        "created_on": "2026-05-28T20:26:40.123000+00:00",
        "finished_on": "soon",
        "training_data": "SELECT 1",
        "new_field": [1],
    }
    assert list(record)[:2] == ["id", "status"]


def test_table_rows_shorten_errors() -> None:
    """The table of jobs has the beginning of a long error."""
    failed = job(status="ERROR", error={"code": "E", "message": "bad row " * 50})
    row = job_output.table_row(job_output.summary_record(failed, now=CREATED / 1000))
    assert list(row) == list(job_output.COLUMNS)
    assert row["error"].startswith("E: bad row")
    assert row["error"].endswith(" …")
    assert len(row["error"]) <= job_output.ERROR_CHARACTERS


@pytest.mark.parametrize(
    ("name", "value", "text"),
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
        ("training_data", "SELECT 1\n  FROM\tt;\x1b[31m", "SELECT 1 FROM t;\\x1b[31m"),
    ],
)
def test_cells_have_units_and_no_control_characters(name: str, value: object, text: str) -> None:
    """A cell is one line with its unit; a value of an unexpected type stays as it is."""
    assert job_output.cell(name, value) == text
