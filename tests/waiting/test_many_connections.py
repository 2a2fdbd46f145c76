"""Waits over many connections: few threads, and those that hang do not delay the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # its stubs are not worth a dependency
import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.waiting import worker_pool
from airflow_provider_cortex.waiting.shared_client import SharedClient
from tests.clock import client_threads, wait_until
from tests.waiting.shared_polls import poll, running

AddConnections = Callable[[Emulator, int], list[str]]


@pytest.fixture
def add_connections(monkeypatch: pytest.MonkeyPatch) -> AddConnections:
    """Add connections to an emulator, and return their ids."""

    def add(emulator: Emulator, number: int) -> list[str]:
        conn_ids = [f"team_{urlsplit(emulator.url).port}_{team}" for team in range(number)]
        for conn_id in conn_ids:
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", emulator.airflow_connection)
        return conn_ids

    return add


@pytest.fixture
def hanging() -> Iterator[Emulator]:
    """Run a second emulator."""
    with Emulator(tls=False) as emulator:
        yield emulator
        emulator.faults.clear()


def with_clients(
    conn_ids: Sequence[str], work: Callable[[list[SharedClient]], Awaitable[None]]
) -> None:
    """Let *work* use the client of each connection in an event loop of its own."""

    async def main() -> None:
        with ExitStack() as stack:
            settings = [SessionSettings(snowflake_conn_id=conn_id) for conn_id in conn_ids]
            await work([stack.enter_context(SharedClient.shared(one)) for one in settings])

    asyncio.run(main())
    wait_until(lambda: not client_threads())


async def poll_all(clients: Sequence[SharedClient], job_ids: Sequence[str]) -> None:
    """Poll the jobs over each connection at the same time; all are answered."""
    for jobs in await asyncio.gather(*(poll(client, job_ids) for client in clients)):
        assert [job.id for job in jobs] == job_ids


def test_many_connections_share_a_few_threads(
    cortex_emulator: Emulator, add_connections: AddConnections
) -> None:
    """Each has a session of its own, and all jobs of a connection share its statement."""
    job_ids = running(cortex_emulator, 3)

    async def work(clients: list[SharedClient]) -> None:
        for _ in range(2):
            await poll_all(clients, job_ids)
        assert len(client_threads()) <= 16

    with_clients(add_connections(cortex_emulator, 40), work)
    assert cortex_emulator.logins == 40
    assert len(cortex_emulator.statements) == 80
    assert not cortex_emulator.open_sessions


@pytest.mark.parametrize("at", ["login", "statement"])
def test_connections_that_hang_do_not_delay_others(
    at: str,
    cortex_emulator: Emulator,
    hanging: Emulator,
    add_connections: AddConnections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten of twenty: the other ten are answered all the while."""
    monkeypatch.setattr(worker_pool, "LONG_SECONDS", 0.2)
    (job_id,), (stuck_id,) = running(cortex_emulator, 1), running(hanging, 1)
    hanging.faults.add("hang", at=at)

    async def work(clients: list[SharedClient]) -> None:
        stuck = [asyncio.create_task(client.describe(stuck_id)) for client in clients[:10]]
        for _ in range(3):
            await poll_all(clients[10:], [job_id])
        assert not any(task.done() for task in stuck)
        hanging.faults.clear()
        assert [type(job) for job in await asyncio.gather(*stuck)] == [FineTuneJob] * 10

    conn_ids = add_connections(hanging, 10) + add_connections(cortex_emulator, 10)
    with_clients(conn_ids, work)


def test_more_connections_may_hang_than_there_are_threads(
    cortex_emulator: Emulator,
    hanging: Emulator,
    add_connections: AddConnections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From their second poll on they do not delay others."""
    monkeypatch.setenv("AIRFLOW__CORTEX__MAX_THREADS", "1")
    monkeypatch.setattr(worker_pool, "HANGING_SECONDS", 0.2)
    (job_id,), (stuck_id,) = running(cortex_emulator, 1), running(hanging, 1)

    async def work(clients: list[SharedClient]) -> None:
        *stuck, healthy = clients
        hanging.faults.add("slow", delay=0.4)
        await poll_all(stuck, [stuck_id])
        hanging.faults.clear()
        hanging.faults.add("hang")
        again = [asyncio.create_task(client.describe(stuck_id)) for client in stuck]
        await asyncio.to_thread(wait_until, lambda: hanging.faults.struck)
        await poll_all([healthy], [job_id])
        assert not any(task.done() for task in again)
        hanging.faults.clear()
        assert [type(job) for job in await asyncio.gather(*again)] == [FineTuneJob] * 3

    with_clients(add_connections(hanging, 3) + add_connections(cortex_emulator, 1), work)


def test_all_sessions_may_end_at_once(
    cortex_emulator: Emulator, add_connections: AddConnections
) -> None:
    """Each is replaced once, and no poll fails."""
    job_ids = running(cortex_emulator, 2)

    async def work(clients: list[SharedClient]) -> None:
        await poll_all(clients, job_ids)
        cortex_emulator.faults.add("expire")
        await poll_all(clients, job_ids)

    with_clients(add_connections(cortex_emulator, 20), work)
    assert cortex_emulator.logins == 40


@pytest.mark.parametrize("kind", ["job", "query"])
def test_between_polls_a_session_has_no_network_connection(
    kind: str, cortex_emulator: Emulator, add_connections: AddConnections
) -> None:
    """Each would take a megabyte. The session stays open."""
    port = urlsplit(cortex_emulator.url).port
    (job_id,) = running(cortex_emulator, 1)

    def connected() -> int:
        used = psutil.Process().net_connections("tcp")
        return sum(one.raddr[1:] == (port,) and one.status == "ESTABLISHED" for one in used)

    (conn_id,) = add_connections(cortex_emulator, 1)
    with CortexHook(conn_id) as hook:
        query_id = hook.submit(Call("SELECT 1", ()), about="wait")

    async def work(clients: list[SharedClient]) -> None:
        (client,) = clients
        for _ in range(2):
            poll = client.describe(job_id) if kind == "job" else client.execution(query_id)
            assert isinstance(await poll, FineTuneJob | Execution)
            await asyncio.to_thread(wait_until, lambda: not connected())
            assert cortex_emulator.open_sessions == 1

    with_clients([conn_id], work)
    assert cortex_emulator.logins == 2
