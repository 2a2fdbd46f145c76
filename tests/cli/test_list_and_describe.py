"""``jobs list`` and ``jobs describe``."""

import json
import re

import pytest
from airflow.utils import yaml

from airflow_provider_cortex.emulator import Emulator
from tests.cli.runner import Result, Run


def test_list_as_json_has_all_jobs_newest_first(run: Run, jobs: dict[str, str]) -> None:
    """JSON has all fields of all jobs: numbers as numbers, times as ISO 8601 in UTC."""
    result = run("list", "--output", "json")
    records = {record["status"]: record for record in result.records}
    assert (result.status, result.err) == (0, "")
    assert {status: record["id"] for status, record in records.items()} == jobs
    assert result.records[-1]["created_on"] <= result.records[0]["created_on"]
    assert records["SUCCESS"]["model"] == "DB.AI.TRIAGE"
    assert records["SUCCESS"]["training_loss"] >= 0
    assert records["SUCCESS"]["trained_tokens"] == 0
    assert records["SUCCESS"]["finished_on"].endswith("+00:00")
    assert records["IN_PROGRESS"]["progress"] == 0.25
    assert records["IN_PROGRESS"]["finished_on"] is None
    assert records["ERROR"]["error"] == "BAD_DATA: No [red]column\nPROMPT."


def test_list_as_yaml_equals_json(run: Run, jobs: dict[str, str]) -> None:
    """YAML has the same records as JSON."""
    del jobs["IN_PROGRESS"]  # it changes between two commands
    options = ("--status", ",".join(jobs), "--output")
    as_yaml = yaml.safe_load(run("list", *options, "yaml").out)
    assert as_yaml == run("list", *options, "json").records


def test_list_as_table_has_whole_ids_and_no_markup(run: Run, jobs: dict[str, str]) -> None:
    """A table has a row per job with its whole id; text from Cortex is not read as markup."""
    result = run("list")
    assert (result.status, result.err) == (0, "")
    for job_id in jobs.values():
        assert job_id in result.out
    (error,) = re.findall(r"^.*BAD_DATA.*$", result.out, re.MULTILINE)
    assert "[red]column" in re.sub(r"[\s|]+", " ", result.out)
    assert re.match(rf"{jobs['ERROR']} +\| ERROR +\| ", error)


def test_list_as_plain_has_one_line_per_job(run: Run, jobs: dict[str, str]) -> None:
    """Plain output has a heading, and one line per job, for other tools to read."""
    heading, *lines = run("list", "--output", "plain").out.splitlines()
    assert heading.split()[:3] == ["id", "status", "progress"]
    assert {line.split()[1]: line.split()[0] for line in lines} == jobs


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        pytest.param(200, 11, id="all columns"),
        pytest.param(153, 8, id="some columns"),
        pytest.param(147, 7, id="a column less"),
        pytest.param(80, 4, id="a usual terminal"),
        pytest.param(40, 3, id="too narrow for an id"),
    ],
)
def test_narrow_terminals_hide_columns_and_keep_ids(
    width: int, columns: int, run: Run, jobs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table without room for all columns hides the last ones, and never breaks an id."""
    monkeypatch.setattr("airflow.cli.simple_table.is_tty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    result = run("list", clock=lambda: 0.0)  # so that the durations have one width
    lines = result.out.splitlines()
    assert all(any(line.startswith(job_id) for line in lines) for job_id in jobs.values())
    assert lines[0].count("|") == columns - 1
    hidden = re.findall(r"Columns hidden to fit the terminal: (.*)\. Use --output json", result.err)
    assert [len(names.split(", ")) for names in hidden] == ([11 - columns] if columns < 11 else [])


@pytest.mark.parametrize("output", ["table", "plain"])
def test_an_account_without_jobs_is_not_an_error(output: str, run: Run) -> None:
    """An empty list prints the words of Airflow's own commands."""
    assert run("list", "--output", output) == Result(0, "No data found\n", "")
    assert run("list", "--output", "json").records == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "success,Error"], {"SUCCESS", "ERROR"}),
        (["--status", "canceled", "--status", "in_progress"], {"CANCELLED", "IN_PROGRESS"}),
        (["--status", "paused"], set()),
        (["--model", "db.ai.tri"], {"SUCCESS"}),
        (["--model", "MISTRAL"], {"CANCELLED"}),
        (["--since", "1h"], {"SUCCESS", "ERROR", "CANCELLED", "IN_PROGRESS"}),
        (["--since", "2100-01-01"], set()),
    ],
)
def test_list_filters_by_status_model_and_time(
    options: list[str], found: set[str], run: Run, jobs: dict[str, str]
) -> None:
    """Filters keep jobs with one of the statuses, part of a name, or a creation time."""
    result = run("list", *options, "-o", "json")
    assert (result.status, {record["status"] for record in result.records}) == (0, found)


def test_undescribed_jobs_are_listed_with_a_warning(
    run: Run, jobs: dict[str, str], cortex_emulator: Emulator
) -> None:
    """Jobs that cannot be described are listed as SHOW reports them; stderr counts them."""
    cortex_emulator.faults.add(
        "error", at="describe", code=2003, sqlstate="02000", message="Not you."
    )
    result = run("list", "-o", "json")
    assert result.status == 0
    assert {record["id"] for record in result.records} == set(jobs.values())
    assert {record["model"] for record in result.records} == {None}
    assert "4 of 4 jobs could not be described" in result.err


def test_describe_as_json_has_the_whole_record(run: Run, jobs: dict[str, str]) -> None:
    """JSON has the whole record, times as ISO 8601; the exit status is not the job's."""
    result = run("describe", jobs["ERROR"], "-o", "json")
    (record,) = result.records
    assert (result.status, result.err) == (0, "")
    assert (record["id"], record["status"]) == (jobs["ERROR"], "ERROR")
    assert record["error"] == {"code": "BAD_DATA", "message": "No [red]column\nPROMPT."}
    assert record["created_on"].endswith("+00:00")
    assert yaml.safe_load(run("describe", jobs["ERROR"], "-o", "yaml").out) == [record]


@pytest.mark.parametrize("output", ["table", "plain"])
def test_describe_as_table_has_a_row_per_field(output: str, run: Run, jobs: dict[str, str]) -> None:
    """A table has a row per field, with units."""
    result = run("describe", jobs["SUCCESS"], "-o", output)
    lines = dict(
        re.split(r"[ |]{2,}", line.strip(), maxsplit=1)
        for line in result.out.splitlines()
        if re.match(r"\w+[ |]{2,}\S", line)
    )
    assert lines["id"] == jobs["SUCCESS"]
    assert lines["progress"] == "100 %"
    assert lines["model"] == "DB.AI.TRIAGE"
    assert json.loads(lines["training_result"]).keys() == {"training_loss", "validation_loss"}


def test_describe_wraps_long_values(
    run: Run, monkeypatch: pytest.MonkeyPatch, cortex_emulator: Emulator
) -> None:
    """A value that is wider than the terminal takes several lines."""
    monkeypatch.setattr("airflow.cli.simple_table.is_tty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.fail(job.id, code="BAD_DATA", message="a long message " * 20)
    result = run("describe", job.id)
    assert job.id in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    assert result.out.count("message") == 21
