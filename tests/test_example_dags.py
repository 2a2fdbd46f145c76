"""The example DAGs, run by Airflow itself from end to end: on every Airflow."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life

# A process of its own, since Airflow keeps its settings and its database open for good; one for all DAGs, since
# Airflow takes ten seconds to begin. Triggers sleep without any time passing: make demo really waits.
RUN = """
import gc
gc.disable()  # while Airflow loads, and sets itself up anew for each version of its API

import json, os, sys
from importlib import import_module
sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow_provider_cortex import triggers
from tests.clock import Clock

triggers._SystemClock = Clock
initdb()
try:
    from airflow.models.asset import AssetEvent, AssetModel
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag
    from airflow.models.dataset import DatasetEvent as AssetEvent, DatasetModel as AssetModel
    DagBag().sync_to_db()  # an alias must be there before there is an event for it

def asset_events():
    with create_session() as session:
        uris = {asset.id: asset.uri for asset in session.query(AssetModel)}
        events = session.query(AssetEvent).order_by(AssetEvent.id)
        return [(uris[getattr(e, "asset_id", None) or e.dataset_id], e.extra) for e in events]

for line in sys.stdin:
    name, conf = json.loads(line)
    tasks = {}
    for ti in import_module(name).dag.test(run_conf=conf).get_task_instances():
        keys = ("return_value", "model", "finetune_job")
        which = {"task_ids": ti.task_id, "map_indexes": ti.map_index}
        xcoms = {key: ti.xcom_pull(key=key, **which) for key in keys}
        tasks[f"{ti.task_id}[{ti.map_index}]"] = str(ti.state), xcoms
    print("RESULT", json.dumps([tasks, asset_events()]), flush=True)
"""

Tasks = dict[str, tuple[str, dict[str, Any]]]
"""Each task's state and XComs."""


class Examples:
    """
    An Airflow that runs one DAG after another.

    :param emulator: the Snowflake that they use.
    """

    def __init__(self, emulator: Emulator, process: subprocess.Popen[str]) -> None:
        self.emulator = emulator
        self._process = process
        self.assets: list[tuple[str, dict[str, Any]]] = []
        """The asset events until now: the address and the extra of each."""

    def run(self, name: str, *, life: Life | None = None, **conf: Any) -> Tasks:
        """Run the DAG in the module *name* with ``dag.test()``, and return what became of its tasks."""
        self.emulator.life = life or Life.at_once()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([name, conf or None]) + "\n")
        process.stdin.flush()
        printed = []
        for line in process.stdout:
            if line.startswith("RESULT "):
                tasks, self.assets = json.loads(line.removeprefix("RESULT "))
                return {task: (state, xcoms) for task, (state, xcoms) in tasks.items()}
            printed.append(line)
        raise AssertionError("".join(printed))


@contextmanager
def running(emulator: Emulator, home: Path) -> Iterator[Examples]:
    """Have an Airflow that runs DAGs, and end it."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": emulator.airflow_connection,
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    }
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=Path(__file__).parents[1],
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
    """The DAG trains, defers, hands the model on by XCom, and has it answer."""
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
    # The worker looked once, and the triggerer twice more.
    looks = [s for s in examples.emulator.statements[before:] if "'DESCRIBE'" in s.sql]
    assert len(looks) == 3


def check_first_release(examples: Examples) -> None:
    """A DAG that uses the first release's arguments only runs unchanged."""
    tasks = examples.run("first_release")
    assert_success(tasks)
    assert tasks["triage[0]"][1]["return_value"].startswith("billing / high")


def check_weekly_retraining(examples: Examples) -> None:
    """A model that is good enough comes into use, and is told of as an asset."""
    tasks = examples.run("weekly_retraining")
    model = tasks["wait[-1]"][1]["model"]
    assert tasks["use_new_model[-1]"] == ("success", {**NO_XCOMS, "return_value": model})
    assert tasks["keep_old_model[-1]"][0] == "skipped"
    uri, extra = examples.assets[-1]
    assert uri == "snowflake://emulator/" + model.replace(".", "/")
    assert extra["model"] == model
    assert extra["finetune_job_id"] == tasks["start[-1]"][1]["return_value"]

    again = examples.run("weekly_retraining", max_validation_loss=0)
    assert again["wait[-1]"][0] == "skipped"
    assert again["use_new_model[-1]"][0] == "skipped"
    assert again["keep_old_model[-1]"] == ("success", {**NO_XCOMS, "return_value": model})
    assert list(examples.assets[-1]) == [uri, extra]


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
    """The new tickets are answered in one statement. That its asset starts the DAG is seen in ``make cluster``."""
    tasks = examples.run("answers_on_new_model", model="mistral-7b")
    assert_success(tasks)
    answers = tasks["answer[-1]"][1]["return_value"]
    assert len(answers) == 6
    assert "mistral-7b" in answers[0]


def check_answer_table(examples: Examples) -> None:
    """The whole table is answered, and the triggerer waits for it."""
    tasks = examples.run("answer_table")
    assert_success(tasks)
    counts = tasks["answer[-1]"][1]["return_value"]
    assert (counts["rows"], counts["errors"]) == (6, 0)


NO_XCOMS = {"return_value": None, "model": None, "finetune_job": None}


def test_every_example(tmp_path: Path) -> None:
    """
    Each example DAG does what it says, and a DAG of the first release still runs.

    It is one test, so that one Airflow is enough.
    """
    with Emulator() as emulator, running(emulator, tmp_path) as examples:
        check_fine_tune_and_complete(examples)
        check_first_release(examples)
        check_weekly_retraining(examples)
        check_models_side_by_side(examples)
        check_answers_on_new_model(examples)
        check_answer_table(examples)
