"""Each trigger gets its own outcome, whatever goes wrong for others."""

import asyncio
import contextlib
import gc
import logging
import weakref
from contextvars import ContextVar
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import LoginRejectedError, RejectedError, UnreachableError
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.waiting.shared_client import SharedClient
from tests.clock import client_threads, wait_until
from tests.waiting.shared_polls import batches, poll, poll_together, running, with_client


def test_a_rejected_job_is_an_outcome(cortex_emulator: Emulator, connection: str) -> None:
    """The error is returned, not raised, and names the job."""
    (error,) = poll_together(["ft_gone"])
    assert isinstance(error, RejectedError)
    assert "ft_gone" in str(error)


def test_one_of_two_waits_for_a_job_may_end(cortex_emulator: Emulator, connection: str) -> None:
    """The other one still gets the answer."""
    (job_id,) = running(cortex_emulator, 1)

    async def work(client: SharedClient) -> None:
        leaving, staying = (asyncio.create_task(client.describe(job_id)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        assert isinstance(await staying, FineTuneJob)

    with_client(work)


def test_a_trigger_that_is_cancelled_during_a_statement_disturbs_no_other(
    cortex_emulator: Emulator, connection: str
) -> None:
    """The statement goes on for those who share it."""
    first, second = running(cortex_emulator, 2)
    cortex_emulator.statement_delay = 0.3

    async def work(client: SharedClient) -> None:
        leaving = asyncio.create_task(client.describe(first))
        staying = asyncio.create_task(client.describe(second))
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
        assert isinstance(await staying, FineTuneJob)

    with_client(work)
    assert batches(cortex_emulator) == [2]


def test_no_trigger_waits_for_ever(cortex_emulator: Emulator, connection: str) -> None:
    """If the polling is cancelled, as by a triggerer that stops, triggers get an error."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.statement_delay = 0.5

    async def work(client: SharedClient) -> None:
        waiting = asyncio.create_task(client.describe(job_id))
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
        for task in asyncio.all_tasks() - {waiting, asyncio.current_task()}:
            task.cancel()
        error = await asyncio.wait_for(waiting, 5)
        assert isinstance(error, UnreachableError)
        assert job_id in str(error)
        cortex_emulator.statement_delay = 0.0
        # It waits for what still runs in the thread.
        assert isinstance(await client.describe(job_id), FineTuneJob)

    with_client(work)


def test_a_failed_login_is_the_error_of_each_job(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Each error names its job; the jobs do not log in one by one."""
    job_ids = running(cortex_emulator, 30)
    cortex_emulator.stop()

    async def work(client: SharedClient) -> None:
        for _ in range(2):
            for job_id, error in zip(job_ids, await poll(client, job_ids), strict=True):
                assert isinstance(error, UnreachableError)
                expected = f"could not describe fine-tuning job {job_id}: could not log in with"
                assert expected in str(error)
        cortex_emulator.start()
        assert [job.id for job in await poll(client, job_ids)] == job_ids

    with_client(work)
    assert batches(cortex_emulator) == [30]
    assert cortex_emulator.logins == 1


def test_a_rejected_login_is_tried_twice_for_all_jobs(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Once for each job would lock the user out."""
    cortex_emulator.faults.add("login")
    errors = poll_together(running(cortex_emulator, 20))
    assert {type(error) for error in errors} == {LoginRejectedError}
    assert len(cortex_emulator.faults.struck) == 2


def test_an_error_names_its_job_once(cortex_emulator: Emulator, connection: str) -> None:
    """Snowflake's message about the only job of a statement is reported as it is."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.faults.add("status", at="statement")
    (error,) = poll_together([job_id])
    assert isinstance(error, UnreachableError)
    assert str(error).count(job_id) == 1
    assert "503" in str(error)


@pytest.mark.parametrize("kind", ["job", "query"])
def test_an_unexpected_error_is_a_transient_one(
    kind: str, cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secrets backend may raise anything: the trigger gets it, and its task can be retried."""
    # Airflow's own class: no connection and no answer of the emulator makes it raise this.
    monkeypatch.setattr(BaseHook, "get_connection", classmethod(lambda *_: 1 / 0))

    async def work(client: SharedClient) -> None:
        describe = client.describe if kind == "job" else client.execution
        error: Any = await describe("some id")
        assert isinstance(error, UnreachableError)
        assert "ZeroDivisionError" in str(error)
        assert "some id" in str(error)

    with_client(work)


def test_the_state_of_a_statement_is_an_outcome(cortex_emulator: Emulator, connection: str) -> None:
    """So is the error, if there is none."""
    with CortexHook(connection) as hook:
        query_id = hook.submit(Call("SELECT 1", ()), about="wait")

    async def work(client: SharedClient) -> None:
        state = await client.execution(query_id)
        assert state == Execution(query_id=query_id, status="SUCCESS")
        cortex_emulator.faults.add("status", at="query")
        error = await client.execution(query_id)
        assert isinstance(error, UnreachableError)
        assert query_id in str(error)

    with_client(work)


@pytest.mark.parametrize("is_rejected", [False, True])
def test_the_error_of_a_poll_is_no_reference_cycle(
    is_rejected: bool, cortex_emulator: Emulator, connection: str
) -> None:
    """It holds many frames, which a triggerer with thousands of waits should not keep."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.jobs.crash(job_id)

    async def work(client: SharedClient) -> None:
        (error,) = await poll(client, ["ft_gone" if is_rejected else job_id])
        assert isinstance(error, RejectedError if is_rejected else UnreachableError)
        errors = weakref.ref(error), weakref.ref(error.__cause__)
        del error
        (working,) = running(cortex_emulator, 1)
        await client.describe(working)  # the thread forgets its last poll
        await asyncio.sleep(0)
        assert [ref() for ref in errors] == [None, None]

    gc.disable()
    try:
        with_client(work)
    finally:
        gc.enable()


def test_a_hanging_connection_does_not_delay_another(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds one of the threads."""
    (job_id,) = running(cortex_emulator, 1)
    with Emulator(tls=False, statement_delay=3) as hanging:
        monkeypatch.setenv("AIRFLOW_CONN_HANGING", hanging.airflow_connection)
        (stuck_id,) = running(hanging, 1)

        async def main() -> None:
            with (
                SharedClient.shared(SessionSettings(snowflake_conn_id="hanging")) as stuck,
                SharedClient.shared(SessionSettings()) as client,
            ):
                await client.describe(job_id)
                waiting = asyncio.create_task(stuck.describe(stuck_id))
                await asyncio.to_thread(wait_until, lambda: hanging.statements)
                for _ in range(3):
                    assert isinstance(await client.describe(job_id), FineTuneJob)
                assert not waiting.done()
                assert isinstance(await waiting, FineTuneJob)

        asyncio.run(main())
        wait_until(lambda: not client_threads())  # they have logged out


TASK: ContextVar[str] = ContextVar("TASK", default="none")


def test_log_lines_of_a_shared_poll_belong_to_no_task(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Not to the one that happened to poll first."""
    contexts = set()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            contexts.add(TASK.get())

    async def work(client: SharedClient) -> None:
        TASK.set("the first")
        await client.describe(job_id)

    (job_id,) = running(cortex_emulator, 1)
    logger, listener = logging.getLogger("snowflake.connector"), Listener()
    logger.addHandler(listener)
    with_client(work)
    logger.removeHandler(listener)
    assert contexts == {"none"}


# --- Metrics -------------------------------------------------------------------------------------


class Metrics:
    """What Airflow would send to its metrics backend."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, dict[str, str]]] = []

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, str]) -> None:
        """Keep a counter."""
        self.sent.append((stat, count, tags))

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> None:
        """Keep a gauge."""
        self.sent.append((stat, value, tags))

    timing = gauge

    def values(self, stat: str) -> list[Any]:
        """Return the values of one metric."""
        return [value for name, value, _ in self.sent if name == stat]


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Receive Airflow's metrics: how to configure that differs between releases."""
    received = Metrics()
    monkeypatch.setattr("airflow_provider_cortex.airflow_api.polling_metrics.Stats", received)
    return received


def test_metrics_show_what_polling_costs(
    cortex_emulator: Emulator, connection: str, metrics: Metrics
) -> None:
    """Polls, statements and their duration, transient errors, and how many jobs are waited for."""
    job_ids = running(cortex_emulator, 7)
    poll_together(job_ids)
    cortex_emulator.stop()
    poll_together(job_ids)
    assert metrics.values("cortex.polls") == [7]
    assert metrics.values("cortex.batch_size") == [7]
    assert metrics.values("cortex.statements") == [1]
    assert [0 < took.total_seconds() < 10 for took in metrics.values("cortex.statement_duration")]
    assert metrics.values("cortex.transient_errors") == [1]
    waiting = metrics.values("cortex.jobs_waiting")
    assert (max(waiting), waiting[-1]) == (7, 0)
    assert {tags["conn_id"] for _, _, tags in metrics.sent} == {"snowflake_default"}
