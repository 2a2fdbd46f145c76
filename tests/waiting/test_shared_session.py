"""All waits with the same settings share one session, and leave nothing behind."""

import asyncio
import gc
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.waiting.shared_client import SharedClient
from tests.clock import client_threads, wait_until
from tests.waiting.shared_polls import poll, poll_as, poll_together, running, with_client


def test_other_settings_have_a_session_of_their_own(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Another role's session would be rejected, or show too much."""
    job_ids = running(cortex_emulator, 2)
    settings = [SessionSettings(role="A"), SessionSettings(role="B")]
    assert [job.id for job in poll_as(settings, job_ids)] == job_ids
    assert cortex_emulator.logins == 2


def test_the_order_of_session_parameters_does_not_matter(
    cortex_emulator: Emulator, connection: str
) -> None:
    """However they are ordered in the DAG file, the session is the same."""
    parameters = {"TIMEZONE": "UTC", "WEEK_START": 1}
    reversed_parameters = dict(reversed(parameters.items()))
    settings = [
        SessionSettings(session_parameters=parameters),
        SessionSettings(session_parameters=reversed_parameters),
    ]
    poll_as(settings, running(cortex_emulator, 2))
    assert cortex_emulator.logins == 1


def test_tasks_with_different_query_tags_share_a_session(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Its query tag names the package alone."""
    settings = [SessionSettings(query_tag="one task"), SessionSettings(query_tag="another")]
    job_ids = running(cortex_emulator, 2)
    assert [job.id for job in poll_as(settings, job_ids)] == job_ids
    tags = [statement.query_tag for statement in cortex_emulator.statements]
    assert tags == ['{"package": "airflow-provider-cortex"}']


def test_a_session_that_ends_between_two_statements_is_replaced(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All jobs of the poll get their answers."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "20")
    job_ids = running(cortex_emulator, 100)
    cortex_emulator.faults.add("session", requests=1, share=0.5)  # at the second statement
    assert [job.id for job in poll_together(job_ids)] == job_ids
    assert cortex_emulator.logins == 2
    assert [statement.session for statement in cortex_emulator.statements] == [1, 2, 2, 2, 2]


def test_the_session_closes_with_the_last_wait(cortex_emulator: Emulator, connection: str) -> None:
    """It stays open before, even if nothing is polled."""
    (job_id,) = running(cortex_emulator, 1)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()):
            for _ in range(2):
                with SharedClient.shared(SessionSettings()) as client:
                    await client.describe(job_id)
                assert cortex_emulator.open_sessions == 1

    asyncio.run(main())
    assert cortex_emulator.logins == 1
    wait_until(lambda: not client_threads() and not cortex_emulator.open_sessions)


def test_a_thousand_waits_leave_nothing(cortex_emulator: Emulator, connection: str) -> None:
    """No thread, session or open file."""

    def open_files() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    poll_together(running(cortex_emulator, 1))  # loads what is loaded once
    wait_until(lambda: not cortex_emulator.open_sessions and not client_threads())
    before = open_files()
    job_ids = running(cortex_emulator, 1000)
    for start in range(0, 1000, 250):
        poll_together(job_ids[start : start + 250])
    wait_until(lambda: not cortex_emulator.open_sessions and not client_threads())
    wait_until(lambda: open_files() <= before)
    assert cortex_emulator.logins == 5


def test_a_client_has_one_thread(
    cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It closes the session after its statement, and sends no other one after the last wait."""
    # With the driver's own timeouts, which are longer than this test.
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", cortex_emulator.airflow_connection)
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "1")
    cortex_emulator.faults.add("hang")
    job_ids = running(cortex_emulator, 2)
    wait_until(lambda: not client_threads())  # of an earlier test

    async def work(client: SharedClient) -> None:
        leaving = asyncio.create_task(poll(client, job_ids))
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.faults.struck)
        leaving.cancel()

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            await work(client)
        assert client_threads() == {"cortex-client_0"}
        assert cortex_emulator.open_sessions == 1
        cortex_emulator.faults.clear()
        # Not in a thread: the event loop hears of the statement only when all threads have ended.
        wait_until(lambda: not client_threads())
        while polling := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(polling)

    asyncio.run(main())
    assert not cortex_emulator.open_sessions
    assert len(cortex_emulator.statements) <= 1
    # The driver of an earlier test may still log that a statement was not aborted.
    ours = ("airflow_provider_cortex", "asyncio")
    lines = [record for record in caplog.records if record.name.startswith(ours)]
    assert not [line for line in lines if line.levelno >= logging.ERROR]


# --- The connection ------------------------------------------------------------------------------


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the connections that Airflow is asked for; it finds them as usual."""
    asked: list[str] = []
    find = BaseHook.get_connection.__func__  # type: ignore[attr-defined]

    def get_connection(cls: type[BaseHook], conn_id: str) -> Any:
        asked.append(conn_id)
        return find(cls, conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", classmethod(get_connection))
    return asked


def test_a_session_looks_its_connection_up_once(
    cortex_emulator: Emulator, connection: str, lookups: list[str]
) -> None:
    """For any number of jobs and polls."""
    job_ids = running(cortex_emulator, 30)

    async def work(client: SharedClient) -> None:
        for _ in range(3):
            await poll(client, job_ids)

    with_client(work)
    assert lookups == ["snowflake_default"]


def test_a_new_session_uses_the_connection_as_it_is_then(
    cortex_emulator: Emulator, connection: str, lookups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its password may have changed."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.password = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])["password"]

    async def work(client: SharedClient) -> None:
        assert isinstance(await client.describe(job_id), FineTuneJob)
        cortex_emulator.password = "changed"
        cortex_emulator.faults.add("expire")
        settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
        changed = json.dumps(settings | {"password": "changed"})
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", changed)
        assert isinstance(await client.describe(job_id), FineTuneJob)

    with_client(work)
    assert lookups == ["snowflake_default"] * 2
    assert cortex_emulator.refused_logins == 0
