"""What a trigger does when its task is killed while deferred."""

import asyncio
import json
from collections.abc import Callable

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.clock import wait_until
from tests.triggers import trigger


@pytest.mark.parametrize(
    ("cancel_on_kill", "status", "message"),
    [
        (False, "IN_PROGRESS", "is still running: cancel_on_kill is off"),
        (True, "CANCELLED", "has finished: CANCELLED"),
    ],
)
def test_a_killed_task_cancels_its_job_only_if_it_should(
    cancel_on_kill: bool,
    status: str,
    message: str,
    cortex_emulator: Emulator,
    connection: str,
    log_lines: Callable[[], list[str]],
) -> None:
    """The log says what became of the job."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    asyncio.run(trigger(job.id, cancel_on_kill=cancel_on_kill).on_kill())
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == status
    assert [line for line in log_lines() if f"{job.id} {message}" in line]


def test_the_job_is_cancelled_even_if_airflow_cancels_on_kill(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """Airflow 3.3 does so every second: cleanup waits until the result has been logged."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    cortex_emulator.statement_delay = 0.1

    async def main() -> None:
        killed = trigger(job.id, cancel_on_kill=True)
        ending = asyncio.create_task(killed.on_kill())
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.logins)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        ending = asyncio.create_task(killed.cleanup())
        await asyncio.sleep(0)
        ending.cancel()
        await ending
        assert [line for line in log_lines() if f"{job.id} has finished: CANCELLED" in line]

    asyncio.run(main())


def test_cleanup_of_a_trigger_that_was_not_killed_does_nothing(cortex_emulator: Emulator) -> None:
    """It has fired, or its triggerer is stopped."""
    asyncio.run(trigger("ft_1", cancel_on_kill=True).cleanup())
    assert cortex_emulator.logins == 0


def test_a_rejected_cancel_is_logged(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """With the job's id."""
    asyncio.run(trigger("ft_gone", cancel_on_kill=True).on_kill())
    assert [line for line in log_lines() if "job ft_gone may still be running" in line]
