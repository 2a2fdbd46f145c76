"""The evaluations of a job's model, from the XComs ``scores``, which anyone may push."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from airflow_provider_cortex.cortex.evaluation_report import EvaluationReport
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.page.job_tasks import MAX_EVALUATIONS, MAX_LENGTH, SCORES
from tests.page.client import Permissions, Recorder, detail

NEW, OLD, THIRD = "DB.AI.TRIAGE_4", "DB.AI.TRIAGE_3", "DB.AI.OTHER"


def report(
    new: float | None = 0.93, old: float = 0.9, *, model: str = NEW, baseline: str | None = OLD
) -> dict[str, Any]:
    """Return the XCom of an evaluation of three models with 200 rows, of which 198 count."""
    others = OLD, THIRD
    scores = (new, old, 0.1)
    return EvaluationReport.of(
        [model, *others],
        baseline,
        "01b2",
        [(n, 200, 198, 1, score, 9, 9, None) for n, score in enumerate(scores, 1)],
        [(1, n, 198, 198 * (new or 0) - 198 * scores[n - 1], 9, 8, 2, 0) for n in (2, 3)],  # type: ignore[operator]  # only the first may be None
    ).to_dict()


@pytest.fixture
def job_id(cortex_emulator: Emulator) -> str:
    """Return a job with the model that is evaluated."""
    return cortex_emulator.jobs.add(model=NEW).id


def scores(browser: TestClient) -> Any:
    """Return the scores in the list of jobs."""
    return browser.get("/api/jobs").raise_for_status().json()["scores"]


def as_it_is(value: object) -> object:
    """Return the value that Airflow stores, which may be its JSON text, too."""
    return value


@pytest.mark.parametrize("store", [json.dumps, as_it_is])
def test_a_job_has_the_evaluations_of_its_model(
    store: Callable[[Any], Any], browser: TestClient, job_id: str, record: Recorder
) -> None:
    """With its figures, what it was compared with, and the task."""
    record("weekly", ("evaluate", 2, report()), key=SCORES, store=store)
    (evaluation,) = detail(browser, job_id)["evaluations"]
    assert abs(evaluation.pop("evaluated_on") / 1000 - datetime.now(tz=UTC).timestamp()) < 60
    (comparison,) = evaluation.pop("comparisons")
    assert comparison == {
        "other": OLD,
        "gain": pytest.approx(0.03),
        "could_be_chance": True,
    }
    assert evaluation == {
        "score": 0.93,
        "rows": 200,
        "scored": 198,
        "error_rate": 0.005,
        "models": 3,
        "is_best": True,
        "dag_id": "weekly",
        "run_id": "run_1+00:00",
        "task_id": "evaluate",
        "map_index": 2,
        "operator": "CortexFineTuneSensor",
        "state": "deferred",
        "path": "dags/weekly/runs/run_1%2B00%3A00/tasks/evaluate/mapped/2",
    }
    assert dict(scores(browser)) == {NEW: 0.93, OLD: 0.9, THIRD: 0.1}


def test_a_comparison_is_shown_from_the_model_s_side(
    browser: TestClient, job_id: str, record: Recorder
) -> None:
    """A model that is worse than the one in use has a negative gain, and is not the best."""
    record("first", ("evaluate", -1, report(0.5, 0.9, baseline=None)), key=SCORES)
    (evaluation,) = detail(browser, job_id)["evaluations"]
    assert not evaluation["is_best"]
    (comparison,) = evaluation["comparisons"]
    assert (comparison["other"], comparison["gain"]) == (OLD, pytest.approx(-0.4))


def test_the_newest_evaluation_comes_first(
    browser: TestClient, job_id: str, record: Recorder
) -> None:
    """Of many, the newest are shown; the chart has the score of the newest one."""
    now = datetime.now(tz=UTC)
    for minute in range(MAX_EVALUATIONS + 2):
        at = now + timedelta(minutes=minute)
        record(f"dag_{minute}", ("evaluate", -1, report(minute / 100)), key=SCORES, at=at)
    found = detail(browser, job_id)["evaluations"]
    assert [one["score"] for one in found] == [
        minute / 100 for minute in range(MAX_EVALUATIONS + 1, 1, -1)
    ]
    assert dict(scores(browser))[NEW] == (MAX_EVALUATIONS + 1) / 100


@pytest.mark.parametrize(
    "name", [NEW, '"My ""models""".AI."Größe 1"', 'DB.AI."<b>\\"', "__proto__", "%"]
)
def test_evaluations_are_found_by_any_model_name(
    name: str, browser: TestClient, cortex_emulator: Emulator, record: Recorder
) -> None:
    """The database compares a part of the name, whatever its JSON looks like, and we the rest."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(
        job.id, json.dumps({"id": job.id, "status": "SUCCESS", "model": name})
    )
    record("text", ("evaluate", -1, report(model=name)), key=SCORES)
    record("value", ("evaluate", -1, report(model=name)), key=SCORES, store=as_it_is)
    record("others", ("evaluate", -1, report(model=f"{name}1")), key=SCORES)
    found = detail(browser, job.id)["evaluations"]
    assert {one["dag_id"] for one in found} == {"text", "value"}
    assert dict(scores(browser))[name] == 0.93


def test_a_model_without_a_score_has_none(
    browser: TestClient, job_id: str, record: Recorder
) -> None:
    """If no row has a score, the job says so, and the chart has nothing to show."""
    record("weekly", ("evaluate", -1, report(None)), key=SCORES)
    (evaluation,) = detail(browser, job_id)["evaluations"]
    assert evaluation["score"] is None
    assert NEW not in dict(scores(browser))


def changed(**fields: Any) -> dict[str, Any]:
    """Return a report with other fields."""
    return {**report(), **fields}


MODEL = report()["models"][0]
MALFORMED: dict[str, Any] = {
    "a text": NEW,
    "a number": 1,
    "a list": [NEW],
    "another object": {NEW: 0.9, "most_frequent_error": 1},
    "no comparisons": {name: value for name, value in report().items() if name != "comparisons"},
    "models of another kind": changed(models={NEW: 1}),
    "a model without a name": changed(models=[MODEL, {**MODEL, "model": [NEW]}]),
    "a score that is a text": changed(models=[{**MODEL, "score": "0.9"}]),
    "a score that JSON lacks": changed(models=[{**MODEL, "score": float("nan")}]),
    "a score without end": changed(models=[{**MODEL, "score": 10**400}]),
    "rows that are a text": changed(rows="200"),
    "a negative number of rows": changed(rows=-1),
    "a gain that is a text": changed(comparisons=[{**report()["comparisons"][0], "gain": "0.1"}]),
    "a report that is too long": changed(query_id="x" * MAX_LENGTH),
}
NOT_JSON = {"not JSON": f'{{"{NEW} most_frequent_error', "deep JSON": f'"{NEW}' + "[" * 40_000}


@pytest.mark.parametrize("what", [*MALFORMED, *NOT_JSON])
def test_a_malformed_xcom_is_ignored(
    what: str, browser: TestClient, job_id: str, record: Recorder
) -> None:
    """Anyone may push an XCom with this key: one that is no evaluation hides no other."""
    stored = NOT_JSON.get(what) or json.dumps(MALFORMED[what])
    record("odd", ("push", -1, stored), key=SCORES, store=as_it_is)
    record("weekly", ("evaluate", -1, report()), key=SCORES)
    assert [one["dag_id"] for one in detail(browser, job_id)["evaluations"]] == ["weekly"]
    assert dict(scores(browser)) == {NEW: 0.93, OLD: 0.9, THIRD: 0.1}


def test_evaluations_of_unreadable_dags_are_hidden(
    browser: TestClient, job_id: str, record: Recorder, allow: Permissions
) -> None:
    """Evaluations in a DAG that the viewer may not read are in no answer."""
    record("mine", ("evaluate", -1, report(0.8)), key=SCORES)
    record("theirs", ("evaluate", -1, report(0.7)), key=SCORES)
    allow("mine", entities=(None, DagAccessEntity.TASK_INSTANCE))
    assert [one["dag_id"] for one in detail(browser, job_id)["evaluations"]] == ["mine"]
    assert dict(scores(browser))[NEW] == 0.8


@pytest.mark.parametrize("entities", [(None,), (DagAccessEntity.TASK_INSTANCE,), ()])
def test_evaluations_take_the_permission_to_read_task_instances(
    entities: tuple[Any, ...],
    browser: TestClient,
    job_id: str,
    record: Recorder,
    allow: Permissions,
) -> None:
    """A viewer who may read a DAG and not its task instances sees no figure of it."""
    record("mine", ("evaluate", -1, report()), key=SCORES)
    allow("mine", entities=entities)
    assert detail(browser, job_id)["evaluations"] == []
    assert scores(browser) is None


def test_a_job_without_a_model_has_no_evaluation(
    browser: TestClient, cortex_emulator: Emulator, record: Recorder
) -> None:
    """A job that still runs has no model's name yet."""
    job = cortex_emulator.jobs.add(model=NEW)
    cortex_emulator.jobs.answer(job.id, json.dumps({"id": job.id, "status": "PENDING"}))
    record("weekly", ("evaluate", -1, report()), key=SCORES)
    assert detail(browser, job.id)["evaluations"] == []


def test_the_list_needs_no_scores(browser: TestClient) -> None:
    """If Airflow's database fails, or its tables have changed, the jobs are shown without them."""
    from airflow import settings
    from sqlalchemy import event

    def fail(*arguments: Any) -> None:
        if "FROM xcom" in arguments[2]:
            raise OperationalError("SELECT", {}, Exception("no such column"))

    event.listen(settings.engine, "before_cursor_execute", fail)
    try:
        answer = browser.get("/api/jobs").raise_for_status().json()
    finally:
        event.remove(settings.engine, "before_cursor_execute", fail)
    assert answer["scores"] is None
    assert answer["accounts"]
