"""Reading what Cortex says of a job."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus, jobs
from airflow_provider_cortex.errors import (
    FineTuneCancelledError,
    FineTuneFailedError,
    MissingModelError,
    UnreadableAnswerError,
    excerpt,
)

ANSWERS = Path(__file__).parent / "records"


def published(name: str) -> str:
    """Return one of Snowflake's published answers."""
    return (ANSWERS / f"{name}.json").read_text(encoding="utf-8")


def parse(**fields: Any) -> FineTuneJob:
    """Parse a minimal answer with *fields* in it."""
    return FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS"} | fields)


def test_every_column_of_the_page_has_a_field() -> None:
    """A job that succeeded keeps all that Snowflake's page lists, in the types it lists."""
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


def test_older_page() -> None:
    """The older shape is read as well: long ids, bare model names, an empty text for what is absent."""
    job = FineTuneJob.parse(published("describe_success"))
    assert job.id.startswith("CortexFineTuningWorkflow_")
    assert job.outcome() == "my_tuned_model"
    assert job.validation_data is None
    assert job.options is None


def test_running_job() -> None:
    """A running job tells little, and that is enough."""
    job = FineTuneJob.parse(published("describe_in_progress"))
    assert (job.status, job.progress, job.is_finished) == (JobStatus.IN_PROGRESS, 0.333, False)


def test_failed_job_tells_why() -> None:
    """A job that failed raises with Cortex's own code and message."""
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
def test_failed_job_with_less_to_tell(error: object) -> None:
    """Whatever the error field holds, ERROR is a failure, and what it says is told."""
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
def test_error_in_any_form(error: object, message: str, code: str | None) -> None:
    """An error is read in whatever form it comes: its message and its code, in the letters that it has."""
    job = parse(status="ERROR", error=error)
    assert job.error is not None
    assert (job.error.message.strip(), job.error.code) == (message, code)
    assert job.to_dict()["error"] == error


@pytest.mark.parametrize(
    "error", [None, "", "  ", "null", '""', '" "', {}, "{}", [], "[]", [None], [{}, ""]]
)
def test_error_that_says_nothing(error: object) -> None:
    """An error that says nothing is none, and the failure says that."""
    job = parse(status="ERROR", error=error)
    assert job.error is None
    with pytest.raises(FineTuneFailedError, match="no error message"):
        job.outcome()


@pytest.mark.parametrize("code", [None, "X"])
def test_failed_job_in_cortex_words(code: str | None) -> None:
    """Of an error that has a message, the message is told, and not the object around it."""
    with pytest.raises(FineTuneFailedError) as failure:
        parse(status="ERROR", error={"message": "out of memory", "code": code}).outcome()
    assert (failure.value.message, failure.value.code) == ("out of memory", code)


def test_cancelled_job() -> None:
    """A cancelled job has no model, whatever else it says."""
    with pytest.raises(FineTuneCancelledError, match="ft_1"):
        parse(status="CANCELLED", model="m").outcome()


@pytest.mark.parametrize("model", [None, "", "  ", 7, ["m"]])
def test_success_needs_a_model(model: object) -> None:
    """SUCCESS without a usable name is no success, and the error shows what came."""
    with pytest.raises(MissingModelError, match=r'job ft_1 .*"status": "SUCCESS"'):
        parse(status="SUCCESS", model=model).outcome()


@pytest.mark.parametrize("status", ["PENDING", "IN_PROGRESS", "RUNNING", "whatever"])
def test_only_success_has_an_outcome(status: str) -> None:
    """A job that is not over never passes for one that succeeded, even with a model's name."""
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
def test_status_in_any_case(text: str, status: JobStatus) -> None:
    """A status is read in any letters; an unknown one is a value that keeps what was written."""
    job = parse(status=text)
    assert job.status is status
    assert job.reported_status == text


def test_unknown_status_is_not_the_end() -> None:
    """A status newer than this package keeps a wait going."""
    assert not parse(status="PAUSED").is_finished


@pytest.mark.parametrize("wrap", [str, json.loads, json.dumps], ids=["text", "object", "twice"])
def test_whatever_form_the_driver_delivers(wrap: Any) -> None:
    """Text, an object, and text encoded twice say the same."""
    text = published("describe_success")
    assert FineTuneJob.parse(wrap(text)) == FineTuneJob.parse(text)


def test_training_result_as_a_list() -> None:
    """Of a list of results the last that has a figure counts."""
    job = parse(training_result=[{"training_loss": 2}, {"training_loss": 1.5}, {"step": 9}])
    assert job.training_loss == 1.5
    assert job.validation_loss is None
    assert len(job.training_result) == 3


@pytest.mark.parametrize("last", [float("nan"), "NaN", None])
def test_training_that_diverged(last: object) -> None:
    """A last figure that is no number does not leave the one of the epoch before as the last."""
    job = parse(training_result=[{"training_loss": 1.5}, {"training_loss": last}, {"step": 9}])
    assert job.training_loss is None


@pytest.mark.parametrize("progress", [None, "", "half", -0.1, 1.1, float("inf"), True, [], "NaN"])
def test_progress_that_makes_no_sense(progress: object) -> None:
    """Progress outside of 0 to 1 is no progress; it does not end a wait."""
    assert parse(progress=progress).progress is None


@pytest.mark.parametrize(
    "figure",
    ["NaN", "Infinity", float("inf"), 10**400, "many", True, {}, -1, -0.5, "-7", -(10**400)],
)
def test_figure_that_makes_no_sense(figure: object) -> None:
    """A figure that is no finite number is absent, and the job is still read."""
    job = parse(trained_tokens=figure, training_result={"training_loss": figure})
    assert (job.trained_tokens, job.training_loss) == (None, None)


def test_negative_figure_is_not_the_one_before() -> None:
    """A last figure that cannot be does not leave the one of the epoch before as the last."""
    job = parse(training_result=[{"validation_loss": 1.5}, {"validation_loss": -1.5}])
    assert job.validation_loss is None
    assert job.to_dict()["training_result"][1] == {"validation_loss": -1.5}


@pytest.mark.parametrize("options", ["fast", 3, [{"max_epochs": 3}]])
def test_options_that_make_no_sense(options: object) -> None:
    """Options that are no object are absent, and the job is still read."""
    assert parse(options=options).options is None


def test_nan_is_not_handed_on() -> None:
    """NaN and Infinity are not JSON: the record for Airflow's database has null for them."""
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
        *(1_577_836_799_999, 4_102_444_800_000),  # the last one before 2020, the first one of 2100
    ],
)
@pytest.mark.parametrize("end", ["created_on", "finished_on"])
def test_moment_that_makes_no_sense(end: str, moment: object) -> None:
    """A time that cannot be read, or that no job was made at, is absent, and the job is still read."""
    job = parse(**{"created_on": CREATED, "finished_on": FINISHED, end: moment})
    assert getattr(job, end) is None
    assert job.seconds is None
    assert job.to_dict()[end] == moment


@pytest.mark.parametrize("finished_on", [CREATED - 1, CREATED - 86_400_000, str(CREATED - 1)])
def test_end_before_the_beginning(finished_on: object) -> None:
    """A job does not end before it begins: its end is absent, and the beginning counts."""
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
def test_duration(created_on: object, finished_on: object, seconds: float) -> None:
    """A job takes as long as from its beginning to its end, which may be no time at all."""
    job = parse(created_on=created_on, finished_on=finished_on)
    assert job.seconds == pytest.approx(seconds)


def test_nothing_is_lost() -> None:
    """Unknown fields are kept: in the record, and in what goes into XCom."""
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
def test_unreadable_answer(answer: object) -> None:
    """What cannot be read is an error that shows a bounded piece of it."""
    with pytest.raises(UnreadableAnswerError) as error:
        FineTuneJob.parse(answer)
    assert error.value.answer == excerpt(answer)
    assert len(str(error.value)) < 500


def test_another_jobs_answer_is_refused() -> None:
    """An answer about another job never decides about this one."""
    with pytest.raises(UnreadableAnswerError, match=r"not about job ft_2: .*ft_1"):
        FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS"}, job_id="ft_2")


def test_show() -> None:
    """SHOW lists the account's jobs, each with what SHOW tells of it."""
    succeeded, failed = jobs(published("show"))
    assert (succeeded.status, failed.status) == (JobStatus.SUCCESS, JobStatus.ERROR)
    assert succeeded.base_model == "llama3.1-8b"
    assert succeeded.created_on is not None
    assert succeeded.created_on.tzinfo is UTC


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("{}", "{}"), (None, "None"), ('[{"id": "ft_1"}]', "{'id': 'ft_1'}"), ("[1]", "1")],
)
def test_unreadable_show(answer: object, shown: str) -> None:
    """What is not a list of jobs is refused whole, and what is wrong with it is shown."""
    with pytest.raises(UnreadableAnswerError) as error:
        jobs(answer)
    assert error.value.answer == shown


def test_jobs_are_frozen() -> None:
    """A record is what Cortex said once: nobody changes it."""
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
def test_any_object_is_read_or_refused(record: dict[str, Any]) -> None:
    """Whatever fields come, in whatever types: a record, or our error, and nothing else."""
    try:
        job = FineTuneJob.parse(json.dumps({"id": "ft_1", "status": "PENDING"} | record))
    except UnreadableAnswerError:
        return
    assert FineTuneJob.parse(job.text) == job
    json.dumps(job.to_dict(), allow_nan=False)


def test_number_too_large_for_a_float() -> None:
    """What would become Infinity is null, as NaN is: neither is JSON for those who read it next."""
    job = FineTuneJob.parse('{"id": "ft_1", "status": "SUCCESS", "new": [1e999, -1e999, 1e300]}')
    assert job.to_dict()["new"] == [None, None, 1e300]
