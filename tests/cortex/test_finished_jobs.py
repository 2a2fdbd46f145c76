"""Which finished jobs of an account are new, and what is said of them."""

import json

import pytest

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.finished_jobs import (
    MAX_KEPT,
    MAX_RECORD,
    MAX_TRIES,
    FinishedJobs,
    record,
)
from airflow_provider_cortex.cortex.job import FineTuneJob


def job(number: int, status: str = "SUCCESS", **fields: object) -> FineTuneJob:
    """Return a job; a greater number is a later creation."""
    created_on = 1_700_000_000_000 + number
    return FineTuneJob.parse(
        {"id": f"ft_{number}", "status": status, "created_on": created_on, **fields}
    )


def report_all(finished: FinishedJobs, *listed: FineTuneJob) -> list[str]:
    """Return the ids of the new jobs, and report them."""
    new = finished.new(listed)
    for each in new:
        finished.report(each)
    return [each.id for each in new]


def test_what_the_first_list_has_is_not_new() -> None:
    """Nor is it later; a job that still runs is new when it has finished."""
    finished = FinishedJobs()
    assert report_all(finished, job(1), job(2, "PENDING")) == []
    assert finished.reported == ("ft_1",)
    assert report_all(finished, job(1), job(2, "ERROR")) == ["ft_2"]
    assert report_all(finished, job(1), job(2, "ERROR")) == []


def test_an_empty_first_list_is_one() -> None:
    """The first job of an account is new."""
    finished = FinishedJobs()
    assert report_all(finished) == []
    assert report_all(finished, job(1)) == ["ft_1"]


def test_new_jobs_come_oldest_first() -> None:
    """However SHOW lists them; one without a creation time comes first."""
    finished = FinishedJobs(())
    unknown = FineTuneJob.parse({"id": "ft_unknown", "status": "SUCCESS"})
    assert report_all(finished, job(3), unknown, job(1)) == ["ft_unknown", "ft_1", "ft_3"]


def test_a_job_that_is_not_reported_stays_new() -> None:
    """Its description may have failed."""
    finished = FinishedJobs(())
    for _ in range(3):
        assert [each.id for each in finished.new([job(1)])] == ["ft_1"]


def test_the_kept_ids_are_bounded() -> None:
    """Those that are listed, and of others so many that a thousand are kept in all."""
    finished = FinishedJobs()
    listed = [job(number) for number in range(MAX_KEPT + 200)]
    report_all(finished, *listed)
    assert len(finished.reported or ()) == len(listed), "each listed one is needed"
    report_all(finished, *listed[-10:])
    assert len(finished.reported or ()) == MAX_KEPT
    # The last ones before are still known.
    assert report_all(finished, *listed[-MAX_KEPT:]) == []


def test_a_job_is_worth_some_tries() -> None:
    """Each job has its own."""
    finished = FinishedJobs(())
    assert [finished.try_again(job(1)) for _ in range(MAX_TRIES)] == [True] * (MAX_TRIES - 1) + [
        False
    ]
    assert finished.try_again(job(2))


@pytest.mark.parametrize(
    ("name", "of", "expected"),
    [
        ("DB.S.TRIAGE", "triage", True),
        ("db.s.triage", '"TRIAGE"', True),
        ("DB.S.TRIAGE_2", "triage", True),
        ("DB.S.TRIAGE_2", "s.triage", True),
        ("DB.S.TRIAGE_2", "db.s.triage_2", True),
        ("DB.S.TRIAGE", "triage_2", False),
        ("DB.S.TRIAGE_22", "triage_2", False),
        ("DB.S.TRIAGE_2_1", "triage_2", True),
        ("DB.S.TRIAGE_BEST", "triage", False),
        ("DB.S_2.TRIAGE", "s.triage", False),
        ("DB.S.TRIAGE", "other.triage", False),
        ("TRIAGE", "db.s.triage", False),
        ("TRIAGE", "triage", True),
        ('DB.S."my model_1"', '"my model"', True),
        ("DB.S.it's mine", "mine", False),
    ],
)
def test_the_name_without_suffix_matches_each_version(name: str, of: str, expected: bool) -> None:
    """With its schema or without, in any case."""
    assert identifiers.is_version(name, of=of) == expected


def test_a_record_is_what_describe_returned() -> None:
    """Also what this release does not know."""
    answer = {"id": "ft_1", "status": "SUCCESS", "progress": 1.0, "is_new": True, "cost": None}
    found = record(FineTuneJob.parse(answer))
    assert found == answer
    assert repr(found) == "<ft_1 SUCCESS>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
        (-(2**63), None),
        (2**62, 2**62),
        (0.5, 0.5),
        (False, False),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "?"),
        ("é" * 1001, "é" * 1000 + "… (1001 characters)"),
        ([[[[[["deep"]]]]]], [[[[[None]]]]]),
        ({"a\0": [1, {"b": float("nan")}]}, {"a\ufffd": [1, {"b": None}]}),
    ],
)
def test_a_record_has_nothing_that_a_database_rejects(value: object, expected: object) -> None:
    """Airflow writes it as JSON: PostgreSQL knows no NaN and no NUL there."""
    found = record(FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS", "x": value}))["x"]
    assert found == expected
    assert type(found) is type(expected)


def test_a_record_s_longest_fields_are_left_out() -> None:
    """If the whole is too long; the others stay, in their order."""
    long = {f"long {number}": ["x" * 900] * (number + 1) for number in range(20)}
    found = record(job(1, "ERROR", **long, last="y"))
    assert len(json.dumps(found)) <= MAX_RECORD
    assert list(found) == [
        "id", "status", "created_on", *[f"long {number}" for number in range(5)], "last"
    ]  # fmt: skip
