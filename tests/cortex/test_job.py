"""How Cortex's records of a job are parsed."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus, parse_list
from airflow_provider_cortex.errors import (
    FineTuneCancelledError,
    FineTuneFailedError,
    MissingModelError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.safe_text import excerpt

ANSWERS = Path(__file__).parent / "records"


def published(name: str) -> str:
    """Return one of the answers that Snowflake published."""
    return (ANSWERS / f"{name}.json").read_text(encoding="utf-8")


def parse(**fields: Any) -> FineTuneJob:
    """Parse a minimal answer with *fields* in it."""
    return FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS"} | fields)


def test_every_column_of_the_page_has_a_field() -> None:
    """Each one has the type that Snowflake's page documents."""
    job = FineTuneJob.parse(published("describe_success_new"))

    assert job.id == "ft_6556e15c-8f12-4d94-8cb0-87e6f2fd2299"
    assert job.status is JobStatus.SUCCESS
    assert job.is_finished
    assert job.progress == 1.0
    assert job.error is None
    assert job.base_model == "mistral-7b"
    assert job.created_on == datetime(2024, 5, 29, 17, 39, 48, 348000, tzinfo=UTC)
    assert job.finished_on == datetime(2024, 5, 29, 17, 44, 51, 577000, tzinfo=UTC)
    assert job.seconds == pytest.approx(303.229)
    assert job.model == job.outcome() == "mydb.myschema.my_tuned_model"
    assert job.training_data == "SELECT prompt, completion FROM train"
    assert job.validation_data == "SELECT prompt, completion FROM validation"
    assert job.trained_tokens == 2670734
    assert job.training_loss == 0.6477728401547047
    assert job.validation_loss == 1.0138969421386719
    assert job.options == {"max_epochs": 3}
    assert job.others == {}


def test_the_older_form_is_read() -> None:
    """It has long ids, unqualified model names, and empty text for absent values."""
    job = FineTuneJob.parse(published("describe_success"))
    assert job.id.startswith("CortexFineTuningWorkflow_")
    assert job.outcome() == "my_tuned_model"
    assert job.validation_data is None
    assert job.options is None


def test_a_running_job_has_few_fields() -> None:
    """Status and progress are enough."""
    job = FineTuneJob.parse(published("describe_in_progress"))
    assert (job.status, job.progress, job.is_finished) == (JobStatus.IN_PROGRESS, 0.333, False)


def test_a_failed_job_raises_cortex_own_error() -> None:
    """The error has Cortex's code and message, and the job's id."""
    job = FineTuneJob.parse(published("describe_error"))
    with pytest.raises(FineTuneFailedError) as failure:
        job.outcome()
    assert failure.value.code == "INVALID_PARAMETER_VALUE"
    assert "unexpected ';'" in str(failure.value)
    assert job.id in str(failure.value)


@pytest.mark.parametrize(
    "error",
    [None, "", {}, [], "out of memory", {"message": "out of memory"}, {"reason": "out of memory"}],
)
def test_a_job_in_error_fails_whatever_its_error_field_holds(error: object) -> None:
    """The message is reported if there is one."""
    with pytest.raises(FineTuneFailedError) as failure:
        parse(status="ERROR", error=error).outcome()
    assert ("out of memory" in str(failure.value)) == bool(error)
    assert "None" not in str(failure.value)


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ("out of memory", "out of memory", None),
        (" out of memory\n", "out of memory", None),
        ('"out of memory"', "out of memory", None),
        ("{out of memory", "{out of memory", None),
        ({"code": "OOM", "message": "out of memory"}, "out of memory", "OOM"),
        ('{"code": "OOM", "message": "out of memory"}', "out of memory", "OOM"),
        (json.dumps('{"code": "OOM", "message": "no rows"}'), "no rows", "OOM"),
        ({"code": 100035, "message": "out of memory"}, "out of memory", "100035"),
        ({"code": 0, "message": "out of memory"}, "out of memory", "0"),
        ({"code": "", "message": "out of memory"}, "out of memory", None),
        ({"code": [], "message": "out of memory"}, "out of memory", None),
        ({"code": 100035}, '{"code": 100035}', "100035"),
        ({"code": "OOM", "message": None}, '{"code": "OOM", "message": null}', "OOM"),
        ({"message": {"text": "zu groß"}}, '{"text": "zu groß"}', None),
        ({"reason": "zu groß"}, '{"reason": "zu groß"}', None),
        ({"message": 7}, "7", None),
        (7, "7", None),
        (["a", "b"], "a; b", None),
        ('["a", "b"]', "a; b", None),
        ([{"code": 1, "message": "a"}, {"code": 2, "message": "b"}], "a; b", "1"),
        (['{"code": 1, "message": "a"}', None, "", {}, "b"], "a; b", "1"),
        ([["zu groß"], [["b"]]], "zu groß; b", None),
    ],
    ids=repr,
)
def test_an_error_is_read_in_any_form(error: object, message: str, code: str | None) -> None:
    """Its message and code are not changed."""
    job = parse(status="ERROR", error=error)
    assert job.error is not None
    assert (job.error.message.strip(), job.error.code) == (message, code)
    assert job.to_dict()["error"] == error


@pytest.mark.parametrize(
    "error", [None, "", "  ", "null", '""', '" "', {}, "{}", [], "[]", [None], [{}, ""]]
)
def test_an_empty_error_is_no_error(error: object) -> None:
    """The failure says that there is no error message."""
    job = parse(status="ERROR", error=error)
    assert job.error is None
    with pytest.raises(FineTuneFailedError, match="no error message"):
        job.outcome()


@pytest.mark.parametrize("code", [None, "X"])
def test_a_failure_shows_the_message_without_the_object_around_it(code: str | None) -> None:
    """The code may be missing."""
    with pytest.raises(FineTuneFailedError) as failure:
        parse(status="ERROR", error={"message": "out of memory", "code": code}).outcome()
    assert (failure.value.message, failure.value.code) == ("out of memory", code)


def test_a_cancelled_job_has_no_model() -> None:
    """Even if its record names one."""
    with pytest.raises(FineTuneCancelledError, match="ft_1"):
        parse(status="CANCELLED", model="m").outcome()


def test_a_model_s_name_has_no_at() -> None:
    """Snowflake's page on arctic-extract requests names with one; the text keeps it."""
    job = parse(status="SUCCESS", model="@db.s.m")
    assert job.outcome() == "db.s.m"
    assert job.to_dict()["model"] == "@db.s.m"


@pytest.mark.parametrize("model", [None, "", "  ", "@", 7, ["m"]])
def test_success_needs_a_model(model: object) -> None:
    """Without one, the error shows the answer."""
    with pytest.raises(MissingModelError, match=r'job ft_1 .*"status": "SUCCESS"'):
        parse(status="SUCCESS", model=model).outcome()


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS", "RUNNING", "whatever"])
def test_an_unfinished_job_has_no_outcome(status: str) -> None:
    """Even if its record names a model."""
    with pytest.raises(MissingModelError):
        parse(status=status, model="m").outcome()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("success", JobStatus.SUCCESS),
        (" In_Progress ", JobStatus.IN_PROGRESS),
        ("CANCELED", JobStatus.CANCELLED),
        ("PAUSED", JobStatus.UNKNOWN),
        ("UNKNOWN", JobStatus.UNKNOWN),
    ],
)
def test_a_status_is_read_in_any_case(text: str, status: JobStatus) -> None:
    """The record keeps what Cortex wrote, which matters for an unknown status."""
    job = parse(status=text)
    assert job.status is status
    assert job.reported_status == text


def test_an_unknown_status_is_not_terminal() -> None:
    """With a status newer than this release, the wait goes on."""
    assert not parse(status="PAUSED").is_finished


@pytest.mark.parametrize("wrap", [str, json.loads, json.dumps], ids=["text", "object", "twice"])
def test_the_driver_may_deliver_text_or_an_object(wrap: Any) -> None:
    """Text may be encoded twice."""
    text = published("describe_success")
    assert FineTuneJob.parse(wrap(text)) == FineTuneJob.parse(text)


def test_the_last_result_with_a_figure_counts() -> None:
    """The training result may be a list."""
    job = parse(training_result=[{"training_loss": 2}, {"training_loss": 1.5}, {"step": 9}])
    assert job.training_loss == 1.5
    assert job.validation_loss is None
    assert len(job.training_result) == 3


@pytest.mark.parametrize("last", [float("nan"), "NaN", None])
def test_a_diverged_training_has_no_loss(last: object) -> None:
    """If the last figure is not a number, an earlier one does not replace it."""
    job = parse(training_result=[{"training_loss": 1.5}, {"training_loss": last}, {"step": 9}])
    assert job.training_loss is None


@pytest.mark.parametrize("progress", [None, "", "half", -0.1, 1.1, float("inf"), True, [], "NaN"])
def test_an_impossible_progress_is_none(progress: object) -> None:
    """Progress is a number from 0 to 1; anything else does not end a wait."""
    assert parse(progress=progress).progress is None


@pytest.mark.parametrize(
    "figure",
    ["NaN", "Infinity", float("inf"), 10**400, "many", True, {}, -1, -0.5, "-7", -(10**400)],
)
def test_an_impossible_figure_is_none(figure: object) -> None:
    """The rest of the job is still read."""
    job = parse(trained_tokens=figure, training_result={"training_loss": figure})
    assert (job.trained_tokens, job.training_loss) == (None, None)


def test_a_negative_loss_is_none() -> None:
    """An earlier figure does not replace it."""
    job = parse(training_result=[{"validation_loss": 1.5}, {"validation_loss": -1.5}])
    assert job.validation_loss is None
    assert job.to_dict()["training_result"][1] == {"validation_loss": -1.5}


@pytest.mark.parametrize("options", ["fast", 3, [{"max_epochs": 3}]])
def test_options_that_are_not_an_object_are_none(options: object) -> None:
    """The rest of the job is still read."""
    assert parse(options=options).options is None


def test_nan_becomes_null() -> None:
    """NaN and Infinity are not JSON: Airflow's database gets null for them."""
    job = FineTuneJob.parse('{"id": "ft_1", "status": "PENDING", "progress": NaN, "x": Infinity}')
    assert job.progress is None
    assert json.loads(json.dumps(job.to_dict(), allow_nan=False))["x"] is None


CREATED, FINISHED = 1_717_004_388_348, 1_717_004_691_577
"""Epoch milliseconds, in 2024."""


@pytest.mark.parametrize(
    "moment",
    [
        *(None, "", "soon", 10**30, -(10**30), {}, True, 0, "0", -1, -CREATED),
        *(CREATED // 1000, CREATED * 1000, CREATED * 10**6, str(CREATED // 1000)),
        *(1_577_836_799_999, 4_102_444_800_000),  # the last ms before 2020, the first one of 2100
    ],
)
@pytest.mark.parametrize("end", ["created_on", "finished_on"])
def test_an_impossible_time_is_none(end: str, moment: object) -> None:
    """It is unreadable, or in a year without fine-tuning jobs; the rest is still read."""
    job = parse(**{"created_on": CREATED, "finished_on": FINISHED, end: moment})
    assert getattr(job, end) is None
    assert job.seconds is None
    assert job.to_dict()[end] == moment


@pytest.mark.parametrize("finished_on", [CREATED - 1, CREATED - 86_400_000, str(CREATED - 1)])
def test_an_end_before_the_start_is_none(finished_on: object) -> None:
    """The start is kept."""
    job = parse(created_on=CREATED, finished_on=finished_on)
    assert (job.finished_on, job.seconds) == (None, None)
    assert job.created_on is not None
    assert job.to_dict()["finished_on"] == finished_on


@pytest.mark.parametrize(
    ("created_on", "finished_on", "seconds"),
    [
        (CREATED, FINISHED, 303.229),
        (CREATED, CREATED, 0),
        (str(CREATED), float(FINISHED), 303.229),
        (1_577_836_800_000, 4_102_444_799_999, 2_524_607_999.999),
    ],
)
def test_a_job_lasts_from_its_start_to_its_end(
    created_on: object, finished_on: object, seconds: float
) -> None:
    """Both may be the same."""
    job = parse(created_on=created_on, finished_on=finished_on)
    assert job.seconds == pytest.approx(seconds)


def test_unknown_fields_are_kept() -> None:
    """They are in the record, and in its JSON for XCom."""
    job = parse(queue="fast", tags=[1, 2])
    assert job.others == {"queue": "fast", "tags": [1, 2]}
    assert job.to_dict()["tags"] == [1, 2]
    assert FineTuneJob.parse(job.text) == job


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        "<html>Bad Gateway</html>",
        '{"id": "ft_1", "stat',
        "[]",
        "null",
        "7",
        [],
        7,
        {"id": "ft_1"},
        {"id": "ft_1", "status": None},
        {"id": "ft_1", "status": 3},
        {"status": "SUCCESS"},
        {"id": 5, "status": "SUCCESS"},
        '"' + "[" * 100_000,
        "[" * 100_000,
    ],
    ids=repr,
)
def test_an_unreadable_answer_is_an_error(answer: object) -> None:
    """The error shows the answer, shortened."""
    with pytest.raises(UnreadableAnswerError) as error:
        FineTuneJob.parse(answer)
    assert error.value.answer == excerpt(answer)
    assert len(str(error.value)) < 500


def test_the_answer_about_another_job_is_an_error() -> None:
    """It never decides about this job."""
    with pytest.raises(UnreadableAnswerError, match=r"about another job: .*ft_1"):
        FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS"}, job_id="ft_2")


def test_show_lists_the_jobs_of_the_account() -> None:
    """Each has the fields that SHOW reports."""
    succeeded, failed = parse_list(published("show"))
    assert (succeeded.status, failed.status) == (JobStatus.SUCCESS, JobStatus.ERROR)
    assert succeeded.base_model == "llama3.1-8b"
    assert succeeded.created_on is not None
    assert succeeded.created_on.tzinfo is UTC


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("{}", "{}"), (None, "None"), ('[{"id": "ft_1"}]', "{'id': 'ft_1'}"), ("[1]", "1")],
)
def test_a_list_with_an_unreadable_entry_is_an_error(answer: object, shown: str) -> None:
    """The error shows the unreadable part."""
    with pytest.raises(UnreadableAnswerError) as error:
        parse_list(answer)
    assert error.value.answer == shown


def test_jobs_are_frozen() -> None:
    """A record stays as Cortex returned it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse().status = JobStatus.SUCCESS  # type: ignore[misc]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
names = st.sampled_from([f.name for f in dataclasses.fields(FineTuneJob)])


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(names | st.text(), json_values))
def test_any_object_is_a_job_or_an_unreadable_answer(record: dict[str, Any]) -> None:
    """No field of any type raises another error."""
    try:
        job = FineTuneJob.parse(json.dumps({"id": "ft_1", "status": "PENDING"} | record))
    except UnreadableAnswerError:
        return
    assert FineTuneJob.parse(job.text) == job
    json.dumps(job.to_dict(), allow_nan=False)


def test_a_number_too_large_for_a_float_becomes_null() -> None:
    """It would become Infinity, which is not JSON."""
    job = FineTuneJob.parse('{"id": "ft_1", "status": "SUCCESS", "new": [1e999, -1e999, 1e300]}')
    assert job.to_dict()["new"] == [None, None, 1e300]
