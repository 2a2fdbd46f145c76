"""``make demo``: run the example DAG once and show its results."""

from __future__ import annotations

import json
from pathlib import Path

from demo.deployment import DemoDeployment
from demo.example_run import run_example
from tools.command import run
from tools.output import print_line
from tools.rest_api import DagRun
from tools.task_logs import TaskLogs


def demo(deployment: DemoDeployment) -> None:
    """Run the example DAG, then print the job, the model's answers and the triggerer's log."""
    dag_run = run_example(deployment)
    workspace = deployment.workspace
    _print_job(dag_run)
    _print_answers(dag_run)
    _print_triggerer_log(workspace.task_logs)
    print_line(f"\nLogs: {workspace.task_logs} (tasks), {workspace.logs} (Airflow, the emulator)")
    print_line(f"\nThe demo took {deployment.elapsed:.0f} s.")


def _print_job(dag_run: DagRun) -> None:
    job = json.dumps(dag_run.xcom("wait", "finetune_job"), indent=2, ensure_ascii=False)
    print_line(f"\nThe job as Cortex describes it, from the sensor's XCom finetune_job:\n{job}")
    print_line("\nThe sensor's other XComs:")
    for key in "return_value", "model":
        print_line(f"  {key:12}  {dag_run.xcom('wait', key)}")


def _print_answers(dag_run: DagRun) -> None:
    print_line("\nThe new tickets, and the tuned model's answers:")
    for index, ticket in enumerate(dag_run.xcom("new_tickets")):
        answer = dag_run.xcom("triage", map_index=index)
        print_line(f"  {index + 1}. {ticket}\n     -> {answer}")


def _print_triggerer_log(folder: Path) -> None:
    print_line(
        "\nThe sensor held no worker while it waited. The triggerer's log, first and last line:"
    )
    logs = TaskLogs(folder)
    records = [record for record in logs.new_records() if record.writer == "triggerer"]
    for record in records[0], records[-1]:
        print_line(f"  {record}")


if __name__ == "__main__":
    run(demo, DemoDeployment())
