"""Triggers that poll at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.waiting.shared_client import SharedClient

DESCRIBE = "FINETUNE('DESCRIBE'"


def running(emulator: Emulator, jobs: int) -> list[str]:
    """Add jobs that run for an hour, and return their ids."""
    life = Life.by_time(3600)
    # Names of their own: the emulator tries one suffix after the other for a name that is taken.
    return [emulator.jobs.add(model=f"m{number}", life=life).id for number in range(jobs)]


def batches(emulator: Emulator) -> list[int]:
    """Return how many jobs each statement so far described."""
    return [statement.sql.count(DESCRIBE) for statement in emulator.statements]


async def poll(client: SharedClient, job_ids: Sequence[str]) -> list[Any]:
    """Poll jobs at the same time, and return each one's job or error."""
    return await asyncio.gather(*map(client.describe, job_ids))


def poll_together(job_ids: Sequence[str]) -> list[Any]:
    """Have one trigger for each job poll it at the same time; return jobs and errors."""
    return poll_as([SessionSettings()] * len(job_ids), job_ids)


def poll_as(settings: Sequence[SessionSettings], job_ids: Sequence[str]) -> list[Any]:
    """Have a trigger with each of *settings* poll a job at the same time."""

    async def one(own: SessionSettings, job_id: str) -> Any:
        with SharedClient.shared(own) as client:
            return await client.describe(job_id)

    async def main() -> list[Any]:
        return await asyncio.gather(*map(one, settings, job_ids), return_exceptions=True)

    return asyncio.run(main())


def with_client(work: Callable[[SharedClient], Awaitable[None]]) -> None:
    """Let *work* use a client in an event loop of its own."""

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            await work(client)

    asyncio.run(main())
