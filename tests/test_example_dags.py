"""Airflow runs each example DAG from end to end."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cortex.airflow_api.compat import EXTRAS_ARE_HASHED, IS_AIRFLOW_3
from airflow_provider_cortex.emulator import Emulator, Life
from tests.account import execute
from tests.worker import MODES

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]
FOLDERS = [CHECKOUT / folder for folder in ("example_dags", "docs/examples", "tests/dags")]

# Airflow gets a process of its own, because it keeps its settings and its database open. All DAGs
# share it, because Airflow takes ten seconds to start.
RUN = """
import gc
gc.disable()  # while Airflow loads

import json, os, sys, traceback
from importlib import import_module
sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
from airflow.utils.db import initdb
from airflow.utils.session import create_session

initdb()
try:
    from airflow.models.asset import AssetEvent, AssetModel
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag
    from airflow.models.dataset import DatasetEvent as AssetEvent, DatasetModel as AssetModel
    DagBag().sync_to_db()  # an alias must exist before an event for it

def asset_events():
    with create_session() as session:
        uris = {asset.id: asset.uri for asset in session.query(AssetModel)}
        events = session.query(AssetEvent).order_by(AssetEvent.id)
        return [(uris[getattr(e, "asset_id", None) or e.dataset_id], e.extra) for e in events]

def run(name, conf):
    tasks = {}
    module, sql = import_module(name), (conf or {}).pop("job started by", None)
    if sql is None:
        dag_run = module.dag.test(run_conf=conf)
    else:
        from tests.watched_asset import run_on_event
        dag_run = run_on_event(module, sql)
    for ti in dag_run.get_task_instances():
        keys = ("return_value", "model", "finetune_job")
        which = {"task_ids": ti.task_id, "map_indexes": ti.map_index}
        xcoms = {key: ti.xcom_pull(key=key, **which) for key in keys}
        tasks[f"{ti.task_id}[{ti.map_index}]"] = str(ti.state), xcoms
    return tasks, asset_events()

for line in sys.stdin:
    try:
        result = run(*json.loads(line))
    except BaseException:  # the next DAG is another test
        traceback.print_exc()
        result = None
    print("RESULT", json.dumps(result), flush=True)
"""

Tasks = dict[str, tuple[str, dict[str, Any]]]
"""Each task's state and XComs."""

INTERVALS = ("adaptive", "fixed", "growing")
"""The waits in ``waits.py``."""

NO_XCOMS = {"return_value": None, "model": None, "finetune_job": None}


class Examples:
    """
    An Airflow that runs one DAG after another.

    :param emulator: the Snowflake account that they use.
    """

    def __init__(self, emulator: Emulator, process: subprocess.Popen[str]) -> None:
        self.emulator = emulator
        self._process = process
        self.assets: list[tuple[str, dict[str, Any]]] = []
        """The asset events until now: URI and extra."""

    def run(self, name: str, *, life: Life | None = None, **conf: Any) -> Tasks:
        """Run the DAG in the module *name* with ``dag.test()``, and return its tasks."""
        self.emulator.life = life or Life.at_once()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([name, conf or None]) + "\n")
        process.stdin.flush()
        printed = []
        result = None
        for line in process.stdout:
            if line.startswith("RESULT "):
                result = json.loads(line.removeprefix("RESULT "))
                break
            printed.append(line)
        if result is None:
            raise AssertionError("".join(printed))
        tasks, self.assets = result
        return {task: (state, xcoms) for task, (state, xcoms) in tasks.items()}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    """Return an Airflow that runs DAGs, and end it after the last one."""
    # As a user's: over HTTPS, and with the setting for tests.
    with Emulator() as emulator, airflow(emulator, tmp_path_factory.mktemp("airflow")) as running:
        yield running


@contextmanager
def airflow(emulator: Emulator, home: Path) -> Iterator[Examples]:
    """Start an Airflow that runs DAGs, and end it."""
    environment = (
        os.environ
        | emulator.environment
        | {
            "AIRFLOW_HOME": str(home),
            # Airflow watches no asset for a paused DAG.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORTEX__POLL_SECONDS_IN_TESTS": "0.1",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        }
    )
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Examples(emulator, process)
        finally:
            process.kill()


def assert_success(tasks: Tasks) -> None:
    """Check that every task was successful."""
    assert {state for state, _ in tasks.values()} == {"success"}, tasks


def check_fine_tune_and_complete(examples: Examples) -> None:
    """The DAG trains a model, waits deferred, passes it downstream by XCom, and asks it."""
    before = len(examples.emulator.statements)
    tasks = examples.run("fine_tune_and_complete", life=Life.by_looks(2))
    assert_success(tasks)
    job_id = tasks["start[-1]"][1]["return_value"]
    xcoms = tasks["wait[-1]"][1]
    assert xcoms["return_value"] == xcoms["model"] == xcoms["finetune_job"]["model"]
    assert xcoms["finetune_job"]["id"] == job_id
    answers = [found["return_value"] for task, (_, found) in tasks.items() if "triage" in task]
    assert len(answers) == 6
    assert answers[0].startswith("billing / high")
    # The worker polled once, the triggerer twice.
    polls = [s for s in examples.emulator.statements[before:] if "'DESCRIBE'" in s.sql]
    assert len(polls) == 3


def check_triage(examples: Examples) -> None:
    """The first DAG that a reader pastes creates its table, tunes a model and asks it."""
    tasks = examples.run("triage")
    assert_success(tasks)
    # Other examples may have filled the table with longer labels before.
    assert tasks["ask[-1]"][1]["return_value"].startswith("billing")


def check_first_release(examples: Examples) -> None:
    """A DAG that was written for the first release runs unchanged."""
    tasks = examples.run("first_release")
    assert_success(tasks)
    assert tasks["triage[0]"][1]["return_value"].startswith("billing / high")


def check_weekly_retraining(examples: Examples) -> None:
    """A better model comes into use, and emits an event; one that is not better changes nothing."""
    first = examples.run("weekly_retraining", tickets=60, approval=False)
    assert first.pop("approve[-1]", ("skipped", NO_XCOMS)) == ("skipped", NO_XCOMS)
    assert_success(first)
    old = first["promote[-1]"][1]["model"]
    assert first["promote[-1]"][1]["return_value"] is None, "no model was in use"

    second = examples.run("weekly_retraining", tickets=1000, approval=False)
    new = second["wait[-1]"][1]["model"]
    assert second["evaluate[-1]"][1]["return_value"] == new
    assert second["promote[-1]"][1] == {**NO_XCOMS, "return_value": old, "model": new}
    uri, extra = examples.assets[-1]
    assert uri == "snowflake://emulator/" + new.replace(".", "/")
    assert (extra["model"], extra["previous_model"]) == (new, old)
    evaluation, training_data = (
        json.loads(extra[name]) if EXTRAS_ARE_HASHED else extra[name]
        for name in ("evaluation", "training_data")
    )
    (comparison,) = evaluation["comparisons"]
    assert comparison["gain"] > 0
    assert not comparison["could_be_chance"]
    assert training_data["training"]["rows"] > 200

    third = examples.run("weekly_retraining", tickets=1000, approval=False)
    for task in "evaluate", "decide", "promote", "drop_old":
        assert third[f"{task}[-1]"][0] == "skipped", task
    assert list(examples.assets[-1]) == [uri, extra]


def check_prompts_side_by_side(examples: Examples) -> None:
    """Each prompt is evaluated with each model, and the best of all is returned."""
    examples.emulator.query_life = Life.by_looks(2)
    tasks = examples.run("prompts_side_by_side")
    assert_success(tasks)
    best = tasks["best[-1]"][1]["return_value"]
    assert best.keys() == {"prompt", "model", "score"}
    assert best["model"] in {"llama3.1-8b", "mistral-7b"}


def check_evaluate_any_model(examples: Examples) -> None:
    """A job that plain SQL has started is evaluated when it has finished. Not on Airflow 2."""
    if not IS_AIRFLOW_3:
        sys.path.insert(0, str(CHECKOUT / "example_dags"))
        module = import_module("evaluate_any_model")
        sys.path.pop(0)
        assert not hasattr(module, "dag")
        return
    # The table of the tickets is made here, too.
    assert_success(examples.run("evaluate_any_model", model="mistral-7b"))
    sql = (
        "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', 'ticket_triage', 'llama3.1-8b',"
        " 'SELECT prompt, completion FROM support_tickets WHERE id % 10 > 1')"
    )
    conf: dict[str, Any] = {"job started by": sql}
    tasks = examples.run("evaluate_any_model", **conf)
    assert_success(tasks)
    uri, extra = examples.assets[-1]
    assert uri == "tuned_models"
    assert extra["from_trigger"]
    model = extra["payload"]["model"]
    assert tasks["new_models[-1]"][1]["return_value"] == [model]
    assert tasks["evaluate[-1]"][1]["return_value"] == model, "it beats the base model"


def check_models_side_by_side(examples: Examples) -> None:
    """Each mapped task has its own job, and the best model wins."""
    tasks = examples.run("models_side_by_side")
    assert_success(tasks)
    started = [tasks[f"start[{number}]"][1]["return_value"] for number in range(3)]
    assert len(set(started)) == 3
    jobs = [tasks[f"wait[{number}]"][1]["finetune_job"] for number in range(3)]
    best = min(jobs, key=lambda job: job["training_result"]["validation_loss"])
    assert tasks["best[-1]"][1]["return_value"] == best["model"]


def check_answers_on_new_model(examples: Examples) -> None:
    """One statement answers the new tickets. ``make cluster`` starts this DAG by its asset."""
    tasks = examples.run("answers_on_new_model", model="mistral-7b")
    assert_success(tasks)
    answers = tasks["answer[-1]"][1]["return_value"]
    assert len(answers) == 6
    assert "mistral-7b" in answers[0]


def check_answer_table(examples: Examples) -> None:
    """The whole table is answered while the task is deferred."""
    tasks = examples.run("answer_table")
    assert_success(tasks)
    counts = tasks["answer[-1]"][1]["return_value"]
    assert (counts["rows"], counts["errors"]) == (6, 0)


def check_document_extraction(examples: Examples) -> None:
    """The tuned model reads invoices better than the base model, and then a whole directory."""
    examples.emulator.query_life = Life.by_looks(2)
    tasks = examples.run("document_extraction")
    assert_success(tasks)
    model = tasks["wait[-1]"][1]["model"]
    assert tasks["evaluate[-1]"][1]["return_value"] == model
    counts = tasks["extract[-1]"][1]["return_value"]
    assert (counts["rows"], counts["errors"]) == (15, 0)
    rows = execute(examples.emulator, "SELECT * FROM invoices_of_the_week ORDER BY file")
    invoices = importlib.import_module("example_dags.invoices")
    expected = [
        (f"@invoices/{invoices.file_of(number)}", *invoices.answers(number).values(), None)
        for number in invoices.NEW
    ]
    assert rows == expected


def check_waits(examples: Examples) -> None:
    """In every mode the setting for tests replaces the pauses; Airflow's own SQL task works."""
    jobs = examples.emulator.jobs
    waits = [f"{mode}_{interval}" for mode in MODES for interval in INTERVALS]
    conf: dict[str, Any] = {wait: jobs.add(model=wait, life=Life.by_looks(3)).id for wait in waits}
    examples.emulator.query_life = Life.by_looks(2)
    assert_success(examples.run("waits", **conf))


CHECKS: dict[str, Callable[[Examples], None]] = {
    "answer_table": check_answer_table,
    "answers_on_new_model": check_answers_on_new_model,
    "evaluate_any_model": check_evaluate_any_model,
    "fine_tune_and_complete": check_fine_tune_and_complete,
    "document_extraction": check_document_extraction,
    "first_release": check_first_release,
    "models_side_by_side": check_models_side_by_side,
    "prompts_side_by_side": check_prompts_side_by_side,
    "triage": check_triage,
    "waits": check_waits,
    "weekly_retraining": check_weekly_retraining,
}

OTHERS = {"invoices", "tickets", "my_dag", "test_my_dag"}
"""Modules that have no DAG, or a test of their own, which .ci/run runs as a user does."""


@pytest.mark.parametrize(
    "name",
    sorted({path.stem for folder in FOLDERS for path in folder.glob("*.py")} - OTHERS),
)
def test_an_example_does_what_it_says(name: str, examples: Examples) -> None:
    """Each example DAG does what its docstring says, and a DAG of the first release still runs."""
    CHECKS[name](examples)
