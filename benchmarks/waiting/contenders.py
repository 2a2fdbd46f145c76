"""The ways to wait that are compared."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from airflow.providers.common.sql.hooks.handlers import fetch_one_handler
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from benchmarks.waiting.rounds import Rounds

DESCRIBE = "SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)"
RUNNING = {"PENDING", "IN_PROGRESS"}
INTERVAL = 60.0
"""Seconds between two polls of a job."""

WEEK = 7 * 24 * 3600.0


def package_trigger(job_id: str, conn_id: str, clock: Rounds) -> CortexFineTuneTrigger:
    """Return this package's trigger."""
    now = clock.time()
    trigger = CortexFineTuneTrigger(
        finetune_job_id=job_id,
        session={"snowflake_conn_id": conn_id},
        started_at=now,
        deadline=now + WEEK,
        poke_interval=INTERVAL,
    )
    trigger.clock = clock
    return trigger


class ThreadTrigger(BaseTrigger):
    """
    A new connection for each poll, in a thread, like Airflow's own trigger for Snowflake's jobs.

    That is ``triggers/snowpark_containers.py`` in apache-airflow-providers-snowflake.
    """

    def __init__(self, job_id: str, conn_id: str, clock: Rounds) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_id = job_id
        self.conn_id = conn_id
        self.clock = clock

    def serialize(self) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        hook = SnowflakeHook(snowflake_conn_id=self.conn_id)
        await self.clock.sleep(INTERVAL)
        while (status := await self._status(hook)) in RUNNING:
            await self.clock.sleep(INTERVAL)
        yield TriggerEvent(status)  # type: ignore[no-untyped-call]

    async def _status(self, hook: SnowflakeHook) -> str:
        row: Any = await asyncio.to_thread(
            hook.run, DESCRIBE, parameters=(self.job_id,), handler=fetch_one_handler
        )
        status: str = json.loads(row[0])["status"]
        return status


def sql_sensor(job_id: str, conn_id: str) -> SqlSensor:
    """Return Airflow's sensor for any SQL."""
    return SqlSensor(
        task_id="wait",
        conn_id=conn_id,
        sql=DESCRIBE,
        parameters=(job_id,),  # type: ignore[arg-type]  # the driver accepts a tuple as well
        success=lambda answer: json.loads(answer)["status"] == "SUCCESS",
    )


TRIGGERS = {"package": package_trigger, "thread": ThreadTrigger}
