"""``make demo``: run the example DAG once, and show what became of it."""

from __future__ import annotations

import json

from demo.api import Run
from demo.console import main, say
from demo.deployment import LOGS, TASK_LOGS, Deployment
from demo.example import run_example
from demo.task_logs import TaskLogs


def demo(deployment: Deployment) -> None:
    run = run_example(deployment)
    _show_job(run)
    _show_answers(run)
    _show_deferral()
    say(f"\nLogs: {TASK_LOGS} (tasks), {LOGS} (Airflow's components, the emulator)")
    say(f"\nAll of it took {deployment.elapsed:.0f} s.")


def _show_job(run: Run) -> None:
    record = json.dumps(run.xcom("wait", "finetune_job"), indent=2, ensure_ascii=False)
    say(f"\nThe job as Cortex describes it, in the sensor's XCom finetune_job:\n{record}")
    say("\nThe sensor's other XComs:")
    for key in "return_value", "model":
        say(f"  {key:12}  {run.xcom('wait', key)}")


def _show_answers(run: Run) -> None:
    say("\nThe new tickets, and what the tuned model makes of them:")
    for index, ticket in enumerate(run.xcom("new_tickets")):
        say(f"  {index + 1}. {ticket}\n     -> {run.xcom('triage', map_index=index)}")


def _show_deferral() -> None:
    say("\nThe sensor held no worker while it waited; the triggerer's log of it begins and ends:")
    records = [record for record in TaskLogs(TASK_LOGS).news() if record.writer == "triggerer"]
    for record in records[0], records[-1]:
        say(f"  {record}")


if __name__ == "__main__":
    main(demo)
