"""The example DAG: run it once, and tell what happens while it happens."""

from __future__ import annotations

from demo.api import Run
from demo.console import say
from demo.deployment import TASK_LOGS, Deployment
from demo.task_logs import TaskLogs
from demo.trouble import Trouble

DAG_ID = "fine_tune_and_complete"
OVER = {"success", "failed"}
UNEVENTFUL = {"scheduled", "queued"}
LINES = 30


def run_example(deployment: Deployment) -> Run:
    """
    Start everything, run the DAG, and return its run, which was successful.

    :raises Trouble: if it was not.
    """
    tell = Teller(deployment)
    tell.line("Starting the emulator and Airflow: database, then its four components")
    deployment.start()
    deployment.wait_for("Airflow's api-server", lambda: deployment.api.get("/version"))
    tell.line(f"Airflow is up on {deployment.url}")
    deployment.wait_for(f"the DAG {DAG_ID}", lambda: deployment.api.get(f"/dags/{DAG_ID}"))
    run = deployment.api.start_run(DAG_ID, run_id="demo")
    tell.line(f"A run of {DAG_ID} is triggered")
    state = deployment.wait_for("the run to end", lambda: tell.news(run))
    tell.line(f"The run is over: {state}")
    if state != "success":
        raise Trouble("\n".join(["The run failed.", *_story_of_failure(run)]))
    return run


class Teller:
    """Tells what is new, and when it was so."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._logs = TaskLogs(TASK_LOGS)
        self._states: dict[str, str] = {}

    def line(self, text: str) -> None:
        say(f"{self._deployment.elapsed:4.0f} s  {text}")

    def news(self, run: Run) -> str | None:
        """Tell what is new about *run*, and return how it ended, if it did."""
        state = run.state  # first, so that what is told next is complete
        for record in self._logs.news():
            if record.is_of_interest:
                self.line(f"  {record.task} ({record.writer}): {record.text}")
        self._tell_changes(run.tasks())
        return state if state in OVER else None

    def _tell_changes(self, states: dict[str, str]) -> None:
        changed: dict[str, list[str]] = {}
        for task, state in states.items():
            if state not in UNEVENTFUL and self._states.get(task) != state:
                changed.setdefault(state, []).append(task)
        self._states = states
        for state, tasks in changed.items():
            self.line(f"{state}: {', '.join(tasks)}")


def _story_of_failure(run: Run) -> list[str]:
    """Return the end of the log of every task that failed."""
    failed = {name.partition(" ")[0] for name, state in run.tasks().items() if state == "failed"}
    records = [record for record in TaskLogs(TASK_LOGS).news() if record.task in failed]
    records.sort(key=lambda record: record.time)
    return [f"{record.task}: {record}" for record in records[-LINES:]]
