"""Lets Airflow run what is planned, and measures it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from airflow_provider_cortex.emulator import Life
from benchmarks.latency.deployment import LatencyDeployment
from benchmarks.latency.moments import Moments, PollTimes, read_marks, read_moments
from benchmarks.latency.plan import PlannedRun
from tools.rest_api import DagRun


@dataclass(frozen=True)
class StartedRun:
    """A run, and its job."""

    planned: PlannedRun
    run: DagRun
    job_id: str
    job_ends: float
    """Epoch seconds."""


def measure(deployment: LatencyDeployment, runs: Sequence[PlannedRun]) -> list[Moments]:
    """Let all runs finish, and return their moments."""
    for contender in sorted({run.contender for run in runs}):
        deployment.wait_for_dag(contender)
    with PollTimes(deployment.emulator) as polls:
        started = _start_all(deployment, runs)
        for one in started:
            deployment.wait_for(one.run.path, one.run.final_state)
    marks = read_marks(deployment.workspace.task_logs)
    return [
        read_moments(
            one.planned,
            one.run,
            marks,
            ended=one.job_ends,
            polled=polls.first(one.job_id, since=one.job_ends),
        )
        for one in started
    ]


def _start_all(deployment: LatencyDeployment, runs: Sequence[PlannedRun]) -> list[StartedRun]:
    """Start each run, and its job, when it is due."""
    began = time.time() - runs[0].begins_at
    started = []
    for run in runs:
        deployment.wait_for("a run to start", partial(_is_due, began + run.begins_at))
        started.append(_start(deployment, run, ends=began + run.ends_at))
    return started


def _is_due(moment: float) -> bool | None:
    return time.time() >= moment or None


def _start(deployment: LatencyDeployment, run: PlannedRun, *, ends: float) -> StartedRun:
    life = Life.by_time(ends - time.time())
    job = deployment.emulator.jobs.add(model="DB.S.MODEL", life=life)
    conf = {"job": job.id, "end": ends}
    dag_run = deployment.api.start_run(run.contender, run.run_id, conf=conf)
    return StartedRun(run, dag_run, job.id, ends)
