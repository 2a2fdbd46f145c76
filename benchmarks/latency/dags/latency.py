"""
A task that waits, and the next one: a DAG for each way to wait.

A run's ``conf`` has the *job*, and *end*, when that job ends, epoch seconds.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator, task
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.standard.triggers.temporal import DateTimeTrigger

from airflow_provider_cortex.sensors import CortexFineTuneSensor

INTERVAL = 30
"""Seconds between two polls, if they are fixed."""

JOB = "{{ dag_run.conf['job'] }}"

MODES: dict[str, dict[str, Any]] = {
    "deferrable": {"deferrable": True},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "poke": {"deferrable": False, "mode": "poke"},
}

log = logging.getLogger(__name__)


def begin(context: Any) -> None:
    """Log that a process of the task begins to execute it; Airflow calls this just before."""
    _mark("begin", context)


def end(context: Any, _result: object = None) -> None:
    """Log that the task has been executed; Airflow calls this just after."""
    _mark("end", context)


def _mark(kind: str, context: Any) -> None:
    run = context["dag_run"]
    mark = {
        "dag": run.dag_id,
        "run": run.run_id,
        "kind": kind,
        "modules": len(sys.modules),
        "driver": "snowflake.connector" in sys.modules,
    }
    log.info("latency %s", json.dumps(mark))


class EmptyOperator(BaseOperator):
    """Resume at the end of the job, and do nothing."""

    def execute(self, context: Any) -> None:
        """Leave the worker."""
        moment = datetime.fromtimestamp(context["dag_run"].conf["end"], UTC)
        self.defer(trigger=DateTimeTrigger(moment), method_name="execute_complete")

    def execute_complete(self, context: Any, event: object = None) -> None:
        """Do nothing."""


@task(task_id="next")
def following(**context: Any) -> None:
    """Log that the next task runs."""
    begin(context)


MARKS: dict[str, Any] = {"task_id": "wait", "pre_execute": begin, "post_execute": end}

for mode, arguments in MODES.items():
    for policy, interval in {"fixed": INTERVAL, "adaptive": None}.items():
        with DAG(f"{mode}_{policy}", schedule=None):
            (
                CortexFineTuneSensor(
                    finetune_job_id=JOB, poke_interval=interval, **arguments, **MARKS
                )
                >> following()
            )

with DAG("sql_sensor", schedule=None):
    (
        SqlSensor(
            conn_id="snowflake_default",
            sql="SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %(job)s)",
            parameters={"job": JOB},
            success=lambda answer: json.loads(answer)["status"] == "SUCCESS",
            mode="reschedule",
            poke_interval=INTERVAL,
            **MARKS,
        )
        >> following()
    )

with DAG("empty", schedule=None):
    EmptyOperator(**MARKS) >> following()
