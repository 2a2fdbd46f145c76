"""An asset event of CortexJobTrigger, and a DAG run on it, as Airflow makes them."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_cortex.hooks import CortexHook

ASSET = "tuned_models"


def run_on_event(module: Any, sql: str) -> Any:
    """
    Start a job by plain SQL; when the module's watcher fires for it, run the module's DAG.

    The event gets into Airflow's database as from a triggerer. ``dag.test()`` knows no events, so
    its run gets them as from a scheduler.

    :param module: a DAG's, with the watcher as ``tuned``; the DAG is in Airflow's database.
    :param sql: the statement that starts the job.
    """
    from airflow import settings
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.dagrun import DagRun
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from sqlalchemy import event, select

    fired = asyncio.run(_first_event(module.tuned, sql))
    path, _ = module.tuned.serialize()
    with create_session() as session:
        trigger = session.scalars(select(Trigger).where(Trigger.classpath == path)).one_or_none()
        if trigger is None:  # dag.test() of Airflow 3.0 does not store a DAG's assets
            trigger = Trigger.from_object(module.tuned)
            asset: Any = AssetModel(name=ASSET, uri=ASSET)
            asset.triggers.append(trigger)
            session.add(asset)
            session.flush()
        Trigger.submit_event(trigger.id, fired, session=session)

    def consume(session: Any, *_: object) -> None:
        for run in session.new:
            if isinstance(run, DagRun):
                run.consumed_asset_events.extend(session.scalars(select(AssetEvent)))

    event.listen(settings.Session, "before_flush", consume)
    try:
        return module.dag.test()
    finally:
        event.remove(settings.Session, "before_flush", consume)


async def _first_event(trigger: Any, sql: str) -> Any:
    """Return a watcher's first event; the job starts after its first poll."""
    sleep = trigger.clock.sleep

    class Clock:
        time = staticmethod(trigger.clock.time)
        is_started = False

        async def sleep(self, seconds: float) -> None:
            if not self.is_started:
                self.is_started = True
                await asyncio.to_thread(CortexHook().run, sql)
            await sleep(seconds)

    trigger.clock = Clock()
    async for fired in trigger.run():
        return fired
