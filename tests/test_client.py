"""The client: one session and one statement for all jobs that wait in a triggerer."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import (
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
    UnsupportedValueError,
)
from airflow_provider_cortex.waiting.shared_client import SharedClient
from tests.clock import client_threads, wait_until

DESCRIBE = "FINETUNE('DESCRIBE'"


def running(emulator: Emulator, jobs: int) -> list[str]:
    """Add jobs that go on for an hour, and return their ids."""
    life = Life.by_time(3600)
    # Names of their own: the emulator tries one suffix after the other for a name that is taken.
    return [emulator.jobs.add(model=f"m{number}", life=life).id for number in range(jobs)]


def batches(emulator: Emulator) -> list[int]:
    """Return how many jobs each statement so far was about."""
    return [statement.sql.count(DESCRIBE) for statement in emulator.statements]


async def ask(client: SharedClient, job_ids: list[str], *, may_fail: bool = False) -> list[Any]:
    """Ask for all of them at the same time; return the answers and, where that may be, errors."""
    return await asyncio.gather(*map(client.describe, job_ids), return_exceptions=may_fail)


def together(job_ids: list[str]) -> list[Any]:
    """Have as many triggers ask at the same time, each for itself; return answers and errors."""
    return ask_as([SessionSettings()] * len(job_ids), job_ids)


def ask_as(sessions: list[SessionSettings], job_ids: list[str]) -> list[Any]:
    """Have a trigger with each of *sessions* ask for a job, at the same time."""

    async def one(session: SessionSettings, job_id: str) -> FineTuneJob:
        with SharedClient.shared(session) as client:
            return await client.describe(job_id)

    return run(lambda: asyncio.gather(*map(one, sessions, job_ids), return_exceptions=True))


def run(main: Callable[[], Awaitable[list[Any]] | Awaitable[None]]) -> list[Any]:
    """Run *main* in an event loop of its own."""

    async def inside() -> list[Any]:
        return await main() or []

    return asyncio.run(inside())


def test_jobs_due_together_share_a_statement(cortex_emulator: Emulator, connection: str) -> None:
    """Jobs that are asked for together travel in one statement, and each gets its own answer."""
    job_ids = running(cortex_emulator, 50)
    assert [job.id for job in together(job_ids)] == job_ids
    assert batches(cortex_emulator) == [50]
    assert cortex_emulator.logins == 1


def test_at_most_batch_size(cortex_emulator: Emulator, connection: str) -> None:
    """No statement has more jobs than 200; however many there are, one session does."""
    together(running(cortex_emulator, 210))
    assert batches(cortex_emulator) == [200, 10]
    assert cortex_emulator.logins == 1


def test_batch_size_is_a_setting(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's configuration says how many jobs a statement may have."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "20")
    together(running(cortex_emulator, 50))
    assert batches(cortex_emulator) == [20, 20, 10]


def test_a_job_that_two_wait_for_is_asked_for_once(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Two tasks that wait for one job cost one call, and both get the answer."""
    (job_id,) = running(cortex_emulator, 1)
    assert [job.id for job in together([job_id, job_id])] == [job_id, job_id]
    assert batches(cortex_emulator) == [1]


def test_of_two_who_wait_for_a_job_one_may_leave(
    cortex_emulator: Emulator, connection: str
) -> None:
    """A task that is cleared takes nothing from another one that waits for the same job."""
    (job_id,) = running(cortex_emulator, 1)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            leaving, staying = (asyncio.create_task(client.describe(job_id)) for _ in range(2))
            await asyncio.sleep(0)
            leaving.cancel()
            assert (await staying).id == job_id

    run(main)


def test_nobody_waits_for_ever(cortex_emulator: Emulator, connection: str) -> None:
    """If what looks at the jobs is cancelled, as a triggerer that ends does, whoever waits is told."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.statement_delay = 0.5

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            waiting = asyncio.create_task(client.describe(job_id))
            await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
            for task in asyncio.all_tasks() - {waiting, asyncio.current_task()}:
                task.cancel()
            with pytest.raises(UnreachableError, match=job_id):
                await asyncio.wait_for(waiting, 5)
            cortex_emulator.statement_delay = 0.0
            await client.describe(job_id)  # which comes after what still runs in the thread

    run(main)


def test_other_settings_are_another_session(cortex_emulator: Emulator, connection: str) -> None:
    """Tasks share a session only if it is the same one: another role's would be refused, or leak."""
    job_ids = running(cortex_emulator, 2)
    assert [
        job.id for job in ask_as([SessionSettings(role="A"), SessionSettings(role="B")], job_ids)
    ] == job_ids
    assert cortex_emulator.logins == 2


def test_the_same_settings_in_another_order(cortex_emulator: Emulator, connection: str) -> None:
    """Tasks share a session whose parameters are the same, however they are ordered in the DAG file."""
    parameters = {"TIMEZONE": "UTC", "WEEK_START": 1}
    turned = dict(reversed(parameters.items()))
    sessions = [
        SessionSettings(session_parameters=parameters),
        SessionSettings(session_parameters=turned),
    ]
    ask_as(sessions, running(cortex_emulator, 2))
    assert cortex_emulator.logins == 1


def test_the_task_is_no_part_of_the_settings(cortex_emulator: Emulator, connection: str) -> None:
    """Tasks share a session though each has a query tag of its own: it names the package alone."""
    sessions = [SessionSettings(query_tag="one task"), SessionSettings(query_tag="another")]
    job_ids = running(cortex_emulator, 2)
    assert [job.id for job in ask_as(sessions, job_ids)] == job_ids
    tags = [statement.query_tag for statement in cortex_emulator.statements]
    assert tags == ['{"package": "airflow-provider-cortex"}']


def test_one_poisoned_job(cortex_emulator: Emulator, connection: str) -> None:
    """A job that Cortex refuses to describe is found out; 199 others get their answers all the same."""
    job_ids = running(cortex_emulator, 199)
    job_ids.insert(77, "ft_gone")
    answers = together(job_ids)
    assert isinstance(answers.pop(77), RejectedError)
    assert {job.status for job in answers} == {JobStatus.PENDING}
    assert max(batches(cortex_emulator)[1:]) == 100  # halves
    assert len(batches(cortex_emulator)) < 20
    assert cortex_emulator.logins == 1


@pytest.mark.parametrize("company", [1, 100])
def test_poison_does_not_shrink_later_statements(
    company: int, cortex_emulator: Emulator, connection: str
) -> None:
    """After a poisoned job has been found out, however often, the others travel together as before."""
    job_ids = running(cortex_emulator, 100)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            for _ in range(3):
                await ask(client, [*job_ids[:company], "ft_gone"], may_fail=True)
            await ask(client, job_ids)

    run(main)
    assert batches(cortex_emulator)[-1] == 100


def test_an_answer_nobody_can_read(cortex_emulator: Emulator, connection: str) -> None:
    """An answer without sense is the trouble of its own job, and costs the others nothing."""
    job_ids = running(cortex_emulator, 3)
    cortex_emulator.jobs.answer(job_ids[1], None)
    first, second, third = together(job_ids)
    assert isinstance(second, UnreadableAnswerError)
    assert (first.id, third.id) == (job_ids[0], job_ids[2])
    assert batches(cortex_emulator) == [3]


@pytest.mark.parametrize(("limit", "later"), [(1, [1] * 10), (5, [5, 5])])
def test_an_account_that_takes_fewer_calls(
    limit: int,
    later: list[int],
    cortex_emulator: Emulator,
    connection: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An account that refuses several calls in one statement is noticed, told of once, and obeyed."""
    cortex_emulator.calls_per_statement = limit
    job_ids = running(cortex_emulator, 10)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            for _ in range(4):
                answers = await ask(client, job_ids)
                assert [job.id for job in answers] == job_ids

    run(main)
    assert batches(cortex_emulator)[-2 * len(later) :] == later * 2
    (line,) = [line for line in caplog.messages if "in one statement" in line]
    assert f"at most {limit} fine-tuning jobs" in line
    assert "with connection 'snowflake_default'" in line  # what Snowflake has said


def test_session_ends_between_two_statements(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that Snowflake ends in the middle of a round is replaced; nobody misses an answer."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "20")
    job_ids = running(cortex_emulator, 100)
    cortex_emulator.statement_delay = 0.05

    def end() -> None:
        wait_until(lambda: len(cortex_emulator.statements) == 1)
        cortex_emulator.faults.add("expire")

    ending = threading.Thread(target=end)
    ending.start()
    assert [job.id for job in together(job_ids)] == job_ids
    ending.join()
    assert cortex_emulator.logins == 2


def test_login_that_fails_twice(cortex_emulator: Emulator, connection: str) -> None:
    """All who wait hear of a login that failed, by their job's id; none tries one of its own."""
    job_ids = running(cortex_emulator, 30)
    cortex_emulator.stop()

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            for _ in range(2):
                for job_id, error in zip(
                    job_ids, await ask(client, job_ids, may_fail=True), strict=True
                ):
                    told = f"fine-tuning job {job_id} could not be looked at: could not "
                    assert isinstance(error, UnreachableError)
                    assert told in str(error)
            cortex_emulator.start()
            assert [job.id for job in await ask(client, job_ids)] == job_ids

    run(main)
    assert batches(cortex_emulator) == [30]
    assert cortex_emulator.logins == 1


def test_an_error_names_its_job_once(cortex_emulator: Emulator, connection: str) -> None:
    """What Snowflake says of the one job that was asked for is told as it is."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.faults.add("status", at="statement")
    (error,) = together([job_id])
    assert isinstance(error, UnreachableError)
    assert str(error).count(job_id) == 1
    assert "503" in str(error)


def test_another_jobs_answer(cortex_emulator: Emulator, connection: str) -> None:
    """An answer about another job is none about this one, and no trouble of its company."""
    job_ids = running(cortex_emulator, 3)
    cortex_emulator.faults.add("other-job", job_id=job_ids[1])
    answers = together(job_ids)
    assert [type(answer) for answer in answers] == [FineTuneJob, UnreadableAnswerError, FineTuneJob]


def test_rejected_login_is_not_repeated(cortex_emulator: Emulator, connection: str) -> None:
    """A rejected login is tried once more, and not for each job: that would lock the user out."""
    cortex_emulator.faults.add("login")
    errors = together(running(cortex_emulator, 20))
    assert {type(error) for error in errors} == {RejectedError}
    assert len(cortex_emulator.faults.struck) == 2


def test_a_job_that_snowflake_chokes_on(cortex_emulator: Emulator, connection: str) -> None:
    """A job whose statement is never answered takes fewer and fewer others with it, and soon none."""
    job_ids = running(cortex_emulator, 20)
    cortex_emulator.jobs.crash(job_ids[7])

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            missed = []
            for _ in range(5):
                answers = await ask(client, job_ids, may_fail=True)
                assert isinstance(answers[7], UnreachableError)
                missed.append(sum(isinstance(answer, UnreachableError) for answer in answers))
            assert missed == [20, 5, 1, 1, 1]

    run(main)


def test_a_blip_costs_little(cortex_emulator: Emulator, connection: str) -> None:
    """After a statement that the network lost, the jobs of it travel together as before."""
    job_ids = running(cortex_emulator, 100)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            await ask(client, job_ids)
            cortex_emulator.faults.add("status", status=503)
            await ask(client, job_ids, may_fail=True)
            cortex_emulator.faults.clear()
            for _ in range(2):
                await ask(client, job_ids)

    run(main)
    assert batches(cortex_emulator) == [100, 25, 25, 25, 25, 100]


def test_newcomers_are_not_told_of_others_trouble(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Who asks while another job's statement fails has a look of its own."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.jobs.crash(job_id)
    cortex_emulator.statement_delay = 0.3

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            failing = asyncio.create_task(client.describe(job_id))
            await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
            (newcomer,) = running(cortex_emulator, 1)
            assert (await client.describe(newcomer)).id == newcomer
            with pytest.raises(UnreachableError):
                await failing

    run(main)


def test_a_fault_of_our_own(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else goes wrong is told to those who wait, as trouble that may pass: nobody hangs."""
    # Of Airflow's own: no connection and no answer of the emulator's makes it raise anything but what it documents.
    monkeypatch.setattr(BaseHook, "get_connection", classmethod(lambda *_: 1 / 0))
    (error,) = together(running(cortex_emulator, 1))
    assert isinstance(error, UnreachableError)
    assert "ZeroDivisionError" in str(error)


@pytest.mark.parametrize("size", ["0", "-1"])
def test_batch_size_of_no_use(
    size: str, cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch size below one is one."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", size)
    together(running(cortex_emulator, 2))
    assert batches(cortex_emulator) == [1, 1]


def test_cancelled_in_the_middle_of_a_statement(cortex_emulator: Emulator, connection: str) -> None:
    """A trigger that is cancelled while its statement runs does not disturb those who share it."""
    first, second = running(cortex_emulator, 2)
    cortex_emulator.statement_delay = 0.3

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            leaving = asyncio.create_task(client.describe(first))
            staying = asyncio.create_task(client.describe(second))
            await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leaving
            assert (await staying).id == second

    run(main)
    assert batches(cortex_emulator) == [2]


def test_one_thread(
    cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client has one thread, which ends the session after what it is doing: no two use it at once."""
    # With a driver that waits for as long as the statement hangs.
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", cortex_emulator.airflow_connection)
    cortex_emulator.faults.add("hang")
    (job_id,) = running(cortex_emulator, 1)
    wait_until(lambda: not client_threads())  # of an earlier test
    # Its driver may still be aborting a statement, in a thread of its own, and log that nobody answers.
    others = {t.ident for t in threading.enumerate() if t.name.startswith("Thread-")}

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            leaving = asyncio.create_task(client.describe(job_id))
            await asyncio.to_thread(wait_until, lambda: cortex_emulator.faults.struck)
            leaving.cancel()
        assert client_threads() == {"cortex-client_0"}
        assert cortex_emulator.open_sessions == 1
        cortex_emulator.faults.clear()
        await asyncio.to_thread(wait_until, lambda: not client_threads())

    run(main)
    assert not cortex_emulator.open_sessions
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not [error for error in errors if error.thread not in others]


def test_a_round_is_given_up(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two statements in a row that nobody answers are enough: the other jobs need not wait for more."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "1")
    job_ids = running(cortex_emulator, 5)
    for job_id in job_ids:
        cortex_emulator.jobs.crash(job_id)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            for _ in range(2):
                errors = await ask(client, job_ids, may_fail=True)
                assert {type(error) for error in errors} == {UnreachableError}

    run(main)
    assert batches(cortex_emulator) == [1] * 4


@pytest.mark.parametrize("refused", [False, True])
def test_an_answer_in_between(
    refused: bool, cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements that nobody answers count only in a row: a job after an answer has its look."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "1")
    job_ids = running(cortex_emulator, 5)
    for job_id in job_ids[::2]:
        cortex_emulator.jobs.crash(job_id)
    if refused:
        job_ids[1], job_ids[3] = "ft_gone", "ft_gone_too"
    answers = together(job_ids)
    between = RejectedError if refused else FineTuneJob
    lost = UnreachableError
    assert [type(answer) for answer in answers] == [lost, between, lost, between, lost]


OF_A_TASK: ContextVar[str] = ContextVar("OF_A_TASK", default="nobody")


def test_what_the_client_logs_is_no_tasks(cortex_emulator: Emulator, connection: str) -> None:
    """What is logged in a look for many is none of the task's that happened to ask first."""
    contexts = set()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            contexts.add(OF_A_TASK.get())

    async def main() -> None:
        OF_A_TASK.set("the first")
        with SharedClient.shared(SessionSettings()) as client:
            await client.describe(job_id)

    (job_id,) = running(cortex_emulator, 1)
    logger, listener = logging.getLogger("snowflake.connector"), Listener()
    logger.addHandler(listener)
    run(main)
    logger.removeHandler(listener)
    assert contexts == {"nobody"}


def test_an_id_that_cannot_be_sent(cortex_emulator: Emulator, connection: str) -> None:
    """A job's id that cannot be sent is refused by name, and travels with no others."""
    (job_id,) = running(cortex_emulator, 1)
    error, answer = together(["ft_\0", job_id])
    assert isinstance(error, UnsupportedValueError)
    assert str(error).startswith("finetune_job_id ")
    assert answer.id == job_id
    assert batches(cortex_emulator) == [1]


def test_the_last_one_closes_the_session(cortex_emulator: Emulator, connection: str) -> None:
    """The session stays open while anybody waits, and ends when the last one has left."""
    (job_id,) = running(cortex_emulator, 1)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()):
            for _ in range(2):
                with SharedClient.shared(SessionSettings()) as client:
                    await client.describe(job_id)
                assert cortex_emulator.open_sessions == 1

    run(main)
    assert cortex_emulator.logins == 1
    wait_until(lambda: not client_threads() and not cortex_emulator.open_sessions)


def test_a_hanging_connection_delays_no_other(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one connection's statement hangs, the jobs of another get their answers."""
    (job_id,) = running(cortex_emulator, 1)
    with Emulator(statement_delay=3) as hanging:
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
                    assert (await client.describe(job_id)).id == job_id
                assert not waiting.done()
                assert (await waiting).id == stuck_id

        run(main)


def test_a_thousand_jobs_leave_nothing(cortex_emulator: Emulator, connection: str) -> None:
    """When a thousand jobs have come and gone, no thread, session or open file is left of them."""

    def open_files() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    together(running(cortex_emulator, 1))  # what is loaded once
    wait_until(lambda: not cortex_emulator.open_sessions and not client_threads())
    before = open_files()
    job_ids = running(cortex_emulator, 1000)
    for start in range(0, 1000, 250):
        together(job_ids[start : start + 250])
    wait_until(lambda: not cortex_emulator.open_sessions and not client_threads())
    wait_until(lambda: open_files() <= before)
    assert cortex_emulator.logins == 5


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the connections that Airflow is asked for; it finds them as ever."""
    asked: list[str] = []
    find = BaseHook.get_connection.__func__  # type: ignore[attr-defined]

    def get_connection(cls: type[BaseHook], conn_id: str) -> Any:
        asked.append(conn_id)
        return find(cls, conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", classmethod(get_connection))
    return asked


def test_one_look_up(cortex_emulator: Emulator, connection: str, lookups: list[str]) -> None:
    """Airflow is asked for the connection once, for however many jobs and looks."""
    job_ids = running(cortex_emulator, 30)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            for _ in range(3):
                await ask(client, job_ids)

    run(main)
    assert lookups == ["snowflake_default"]


def test_new_session_has_new_credentials(
    cortex_emulator: Emulator, connection: str, lookups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is replaced logs in as the connection is now: its password may have changed."""
    (job_id,) = running(cortex_emulator, 1)

    async def main() -> None:
        with SharedClient.shared(SessionSettings()) as client:
            await client.describe(job_id)
            cortex_emulator.faults.add("expire")
            moved = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
            monkeypatch.setenv(
                "AIRFLOW_CONN_SNOWFLAKE_DEFAULT",
                json.dumps(moved | {"host": "", "password": "new"}),
            )
            await client.describe(job_id)

    run(main)
    assert lookups == ["snowflake_default"] * 2


class Backend:
    """Where Airflow would send its metrics."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, dict[str, str]]] = []

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, str]) -> None:
        self.sent.append((stat, count, tags))

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> None:
        self.sent.append((stat, value, tags))

    timing = gauge

    def values(self, stat: str) -> list[Any]:
        return [value for name, value, _ in self.sent if name == stat]


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Be where Airflow's metrics go: how that is set differs from release to release."""
    backend = Backend()
    monkeypatch.setattr("airflow_provider_cortex.airflow_api.metrics.Stats", backend)
    return backend


def test_metrics(cortex_emulator: Emulator, connection: str, metrics: Backend) -> None:
    """Airflow's metrics tell what the waiting costs."""
    job_ids = running(cortex_emulator, 7)
    together(job_ids)
    cortex_emulator.stop()
    together(job_ids)
    assert metrics.values("cortex.polls") == [7]
    assert metrics.values("cortex.batch_size") == [7]
    assert metrics.values("cortex.statements") == [1]
    assert [0 < took.total_seconds() < 10 for took in metrics.values("cortex.statement_duration")]
    assert metrics.values("cortex.transient_errors") == [1]
    waiting = metrics.values("cortex.jobs_waiting")
    assert (max(waiting), waiting[-1]) == (7, 0)
    assert {tags["conn_id"] for _, _, tags in metrics.sent} == {"snowflake_default"}
