"""One run of the example DAG, and its progress as lines on the terminal."""

from __future__ import annotations

from demo.deployment import DemoDeployment
from tools.deployment import EXAMPLE_DAG_ID
from tools.errors import ToolError
from tools.output import print_line
from tools.rest_api import DagRun
from tools.task_logs import TaskLogs

HIDDEN_STATES = {"scheduled", "queued"}
LOG_LINES = 30
"""How many log lines are shown of a run that failed."""


def run_example(deployment: DemoDeployment) -> DagRun:
    """
    Start *deployment* and run the example DAG; return its run.

    :raises ToolError: if the run fails.
    """
    progress = start(deployment)
    deployment.wait_for_dag(EXAMPLE_DAG_ID)
    run = deployment.api.start_run(EXAMPLE_DAG_ID, run_id="demo")
    progress.print(f"Started a run of {EXAMPLE_DAG_ID}")
    state = deployment.wait_for("the run to finish", lambda: progress.print_changes(run))
    progress.print(f"The run has finished: {state}")
    if state != "success":
        raise failed(deployment, run)
    return run


def start(deployment: DemoDeployment) -> ProgressPrinter:
    """Start *deployment*, and return what prints the progress of its runs."""
    progress = ProgressPrinter(deployment)
    progress.print("Starting the emulator and Airflow: first the database, then four components")
    deployment.start()
    deployment.wait_for_api_server()
    deployment.api.sign_in_as_admin()
    progress.print(f"Airflow is up on {deployment.url}")
    return progress


def failed(deployment: DemoDeployment, run: DagRun) -> ToolError:
    """Return the error for a run that has failed, with what its failed tasks have logged."""
    return ToolError("\n".join(["The run failed.", *_log_lines_of_failed_tasks(run, deployment)]))


class ProgressPrinter:
    """Prints what is new, each line with the seconds since the start."""

    def __init__(self, deployment: DemoDeployment) -> None:
        self._deployment = deployment
        self._logs = TaskLogs(deployment.workspace.task_logs)
        self._states: dict[str, str] = {}

    def print(self, text: str) -> None:
        """Print one line."""
        print_line(f"{self._deployment.elapsed:4.0f} s  {text}")

    def print_changes(self, run: DagRun) -> str | None:
        """Print what is new in *run*; return its final state, or None while it runs."""
        state = run.final_state()  # first, so that a finished run's logs are complete
        for record in self._logs.new_records():
            if record.is_interesting:
                self.print(f"  {record.task} ({record.writer}): {record.text}")
        self._print_new_states(run.task_states())
        return state

    def _print_new_states(self, states: dict[str, str]) -> None:
        changed: dict[str, list[str]] = {}
        for task, state in states.items():
            if state not in HIDDEN_STATES and self._states.get(task) != state:
                changed.setdefault(state, []).append(task)
        self._states = states
        for state, tasks in changed.items():
            self.print(f"{state}: {', '.join(tasks)}")


def _log_lines_of_failed_tasks(run: DagRun, deployment: DemoDeployment) -> list[str]:
    states = run.task_states()
    failed = {name.partition(" ")[0] for name, state in states.items() if state == "failed"}
    logs = TaskLogs(deployment.workspace.task_logs)
    records = [record for record in logs.new_records() if record.task in failed]
    records.sort(key=lambda record: record.time)
    return [f"{record.task}: {record}" for record in records[-LOG_LINES:]]
