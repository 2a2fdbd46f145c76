"""The example DAG, run by Airflow itself from end to end."""

import json
import subprocess
import sys
from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life

# A process of its own, since Airflow keeps its settings and its database open for good.
RUN = """
import json, os, sys
sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
from fine_tune_and_complete import dag

for ti in dag.test().get_task_instances():
    keys = ("return_value", "model", "finetune_job")
    xcoms = {key: ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=ti.map_index) for key in keys}
    print("RESULT", json.dumps([f"{ti.task_id}[{ti.map_index}]", str(ti.state), xcoms]))
"""


def dag_test() -> dict[str, tuple[str, dict[str, Any]]]:
    """Run the DAG with ``dag.test()``, and return each task's state and XComs."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN], check=False, capture_output=True, text=True, timeout=150
    )
    results = [line for line in ran.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, ran.stdout + ran.stderr
    tasks = (json.loads(line.removeprefix("RESULT ")) for line in results)
    return {task: (state, xcoms) for task, state, xcoms in tasks}


def test_example_dag(airflow_database: None, cortex_emulator: Emulator, connection: str) -> None:
    """The DAG trains, defers, hands the model on by XCom, and has it answer: on every Airflow."""
    cortex_emulator.life = Life.by_looks(2)

    tasks = dag_test()

    assert {state for state, _ in tasks.values()} == {"success"}, tasks
    job_id = tasks["start[-1]"][1]["return_value"]
    xcoms = tasks["wait[-1]"][1]
    assert xcoms["return_value"] == xcoms["model"] == "CORTEX_DB.PUBLIC.ticket_triage"
    assert xcoms["finetune_job"]["id"] == job_id
    answers = [found["return_value"] for task, (_, found) in tasks.items() if "triage" in task]
    assert len(answers) == 6
    assert answers[0].startswith("billing / high")
    # The worker looked once, and the triggerer twice more.
    looks = [s for s in cortex_emulator.statements if "'DESCRIBE'" in s.sql]
    assert len(looks) == 3
