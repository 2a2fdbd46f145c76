"""``make demo-weekly``: four weeks of the weekly example, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.cortex.text_table import aligned
from demo.deployment import DemoDeployment
from demo.example_run import ProgressPrinter, failed, start
from tools.command import run
from tools.output import print_line
from tools.rest_api import DagRun

DAG_ID = "weekly_retraining"

JOB_SECONDS = 0.5
"""How long a fine-tuning job takes: `make demo` shows a wait, and this demo does not wait."""

TIMEOUT = 420.0
"""Seconds after which a demo that has not finished fails."""


@dataclass(frozen=True)
class Week:
    """
    One run of the weekly example.

    :param tickets: how many labelled tickets there are in this week.
    :param story: what happens.
    """

    tickets: int
    story: str


WEEKS = (
    Week(60, "the first model: there is none to compare it with"),
    Week(10, "too few tickets: the check fails, and nothing is paid for"),
    Week(1000, "more tickets: a better model"),
    Week(1000, "the same tickets again: no gain, so the model in use stays"),
)


def weekly(deployment: DemoDeployment) -> None:
    """Run the weeks one after another, approve each better model, and print a summary."""
    progress = start(deployment)
    deployment.wait_for_dag(DAG_ID)
    runs = [_run(deployment, progress, number) for number in range(1, len(WEEKS) + 1)]
    print_line("\nWhat became of each week:\n")
    for line in _summary(runs):
        print_line(line)
    workspace = deployment.workspace
    print_line(f"\nLogs: {workspace.task_logs} (tasks), {workspace.logs} (Airflow, the emulator)")
    print_line(f"\nThe demo took {deployment.elapsed:.0f} s.")


def _run(deployment: DemoDeployment, progress: ProgressPrinter, number: int) -> DagRun:
    week = WEEKS[number - 1]
    progress.print(f"Week {number}, {week.tickets} tickets: {week.story}")
    conf = {"tickets": week.tickets}
    dag_run = deployment.api.start_run(DAG_ID, run_id=f"week-{number}", conf=conf)

    def poll() -> str | None:
        if dag_run.approve("approve"):
            progress.print("  approve: a person approved the new model")
        return progress.print_changes(dag_run)

    state = deployment.wait_for(f"week {number} to finish", poll)
    if (state == "failed") != (dag_run.task_states().get("check") == "failed"):
        raise failed(deployment, dag_run)
    return dag_run


def _summary(runs: list[DagRun]) -> Iterator[str]:
    heads = ("week", "rows", "tokens", "new model", "score", "in use", "gain", "then in use")
    rows: list[tuple[str, ...]] = [heads]
    in_use = "-"
    for number, dag_run in enumerate(runs, start=1):
        in_use = dag_run.xcom("promote", "model") or in_use
        rows.append((str(number), *_figures(dag_run), in_use))
    for line in aligned(rows, left=len(heads)):
        yield f"  {line}"


def _figures(dag_run: DagRun) -> tuple[str, ...]:
    """Return what a run has measured: of the data, and of the new model and the one in use."""
    data: Any = dag_run.xcom("check", "report") or {}
    scores: Any = dag_run.xcom("evaluate", "scores") or {"models": [], "comparisons": []}
    model = dag_run.xcom("wait", "model")
    score = {one["model"]: f"{one['score']:.3f}" for one in scores["models"]}
    return (
        f"{data['training']['rows']:,}",
        f"{data['trained_tokens']:,}",
        model or f"none: {_missed(data)}",
        score.get(model, "-"),
        score.get(scores.get("baseline"), "-"),
        _gain(scores, model),
    )


def _missed(data: Any) -> str:
    return ", ".join(sorted({each["argument"] for each in data["missed"]}))


def _gain(scores: Any, model: object) -> str:
    """Return the new model's gain over the one in use, and whether it could be chance."""
    for one in scores["comparisons"]:
        gain = one["gain"] if one["model"] == model else -one["gain"]
        chance = ", could be chance" if one["could_be_chance"] else ""
        return f"{gain or 0.0:+.3f}{chance}"
    return "-"


if __name__ == "__main__":
    run(weekly, DemoDeployment(job_seconds=JOB_SECONDS, query_life="at-once", timeout=TIMEOUT))
