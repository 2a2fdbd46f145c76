"""Polls that are due together share statements."""

import asyncio
import logging

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import (
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
    UnsupportedValueError,
)
from airflow_provider_cortex.waiting.shared_client import SharedClient
from tests.clock import wait_until
from tests.waiting.shared_polls import batches, poll, poll_together, running, with_client


def test_polls_that_are_due_together_share_a_statement(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Each trigger gets its own job."""
    job_ids = running(cortex_emulator, 50)
    assert [job.id for job in poll_together(job_ids)] == job_ids
    assert batches(cortex_emulator) == [50]
    assert cortex_emulator.logins == 1


def test_a_statement_describes_at_most_200_jobs(cortex_emulator: Emulator, connection: str) -> None:
    """One session is enough for any number of jobs."""
    poll_together(running(cortex_emulator, 210))
    assert batches(cortex_emulator) == [200, 10]
    assert cortex_emulator.logins == 1


@pytest.mark.parametrize(
    ("size", "sent"), [("20", [20, 20, 5]), ("1", [1] * 45), ("0", [1] * 45), ("-1", [1] * 45)]
)
def test_the_batch_size_is_a_setting(
    size: str,
    sent: list[int],
    cortex_emulator: Emulator,
    connection: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow's configuration has it. A size below one is one."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", size)
    poll_together(running(cortex_emulator, 45))
    assert batches(cortex_emulator) == sent


def test_a_job_of_two_tasks_is_described_once(cortex_emulator: Emulator, connection: str) -> None:
    """Both tasks get the answer."""
    (job_id,) = running(cortex_emulator, 1)
    assert [job.id for job in poll_together([job_id, job_id])] == [job_id, job_id]
    assert batches(cortex_emulator) == [1]


def test_a_rejected_job_does_not_take_others_with_it(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Its statement is divided until it is alone; 199 others get their answers."""
    job_ids = running(cortex_emulator, 199)
    job_ids.insert(77, "ft_gone")
    outcomes = poll_together(job_ids)
    assert isinstance(outcomes.pop(77), RejectedError)
    assert {job.status for job in outcomes} == {JobStatus.PENDING}
    assert max(batches(cortex_emulator)[1:]) == 100  # halves
    assert len(batches(cortex_emulator)) < 20
    assert cortex_emulator.logins == 1


@pytest.mark.parametrize("others", [1, 100])
def test_a_rejected_job_does_not_lower_the_batch_size(
    others: int, cortex_emulator: Emulator, connection: str
) -> None:
    """However often that happens, the others share large statements as before."""
    job_ids = running(cortex_emulator, 100)

    async def work(client: SharedClient) -> None:
        for _ in range(3):
            outcomes = await poll(client, [*job_ids[:others], "ft_gone"])
            assert isinstance(outcomes[-1], RejectedError)
        await poll(client, job_ids)

    with_client(work)
    assert batches(cortex_emulator)[-1] == 100


@pytest.mark.parametrize(("limit", "sizes"), [(1, [10, 5, 3, 2, 1, 1, 1]), (5, [10, 5, 5])])
def test_too_many_jobs_for_one_statement_are_described_by_halves(
    limit: int,
    sizes: list[int],
    cortex_emulator: Emulator,
    connection: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All jobs get their answers, and the log names the setting that saves the rejections."""
    caplog.set_level(logging.INFO)
    cortex_emulator.calls_per_statement = limit
    job_ids = running(cortex_emulator, 10)
    assert [job.id for job in poll_together(job_ids)] == job_ids
    assert batches(cortex_emulator)[: len(sizes)] == sizes
    line = next(line for line in caplog.messages if "describes 10 fine-tuning jobs" in line)
    assert "set [cortex] batch_size lower" in line
    assert "with connection 'snowflake_default'" in line  # Snowflake's message


def test_an_unreadable_answer_is_the_error_of_its_job_alone(
    cortex_emulator: Emulator, connection: str
) -> None:
    """The others get their answers from the same statement."""
    job_ids = running(cortex_emulator, 3)
    cortex_emulator.jobs.answer(job_ids[1], None)
    first, second, third = poll_together(job_ids)
    assert isinstance(second, UnreadableAnswerError)
    assert (first.id, third.id) == (job_ids[0], job_ids[2])
    assert batches(cortex_emulator) == [3]


def test_another_jobs_answer_is_unreadable(cortex_emulator: Emulator, connection: str) -> None:
    """It says nothing about the job that was described."""
    job_ids = running(cortex_emulator, 3)
    cortex_emulator.faults.add("other-job", job_id=job_ids[1])
    outcomes = poll_together(job_ids)
    assert [type(o) for o in outcomes] == [FineTuneJob, UnreadableAnswerError, FineTuneJob]


def test_an_id_that_cannot_be_sent_is_rejected_by_name(
    cortex_emulator: Emulator, connection: str
) -> None:
    """It shares no statement with others."""
    (job_id,) = running(cortex_emulator, 1)
    error, job = poll_together(["ft_\0", job_id])
    assert isinstance(error, UnsupportedValueError)
    assert str(error).startswith("finetune_job_id ")
    assert job.id == job_id
    assert batches(cortex_emulator) == [1]


def test_a_job_without_an_answer_soon_takes_no_others_with_it(
    cortex_emulator: Emulator, connection: str
) -> None:
    """Its statements become smaller from poll to poll."""
    job_ids = running(cortex_emulator, 20)
    cortex_emulator.jobs.crash(job_ids[7])

    async def work(client: SharedClient) -> None:
        missed = []
        for _ in range(5):
            outcomes = await poll(client, job_ids)
            assert isinstance(outcomes[7], UnreachableError)
            missed.append(sum(isinstance(outcome, UnreachableError) for outcome in outcomes))
        assert missed == [20, 5, 1, 1, 1]

    with_client(work)


def test_after_one_network_error_the_jobs_share_a_statement_again(
    cortex_emulator: Emulator, connection: str
) -> None:
    """As soon as the smaller statements have been answered."""
    job_ids = running(cortex_emulator, 100)

    async def work(client: SharedClient) -> None:
        await poll(client, job_ids)
        cortex_emulator.faults.add("status", status=503)
        await poll(client, job_ids)
        cortex_emulator.faults.clear()
        for _ in range(2):
            await poll(client, job_ids)

    with_client(work)
    assert batches(cortex_emulator) == [100, 25, 25, 25, 25, 100]


def test_after_two_unanswered_statements_no_other_is_sent(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take a minute: the other jobs fail, too, and are polled the next time."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "1")
    job_ids = running(cortex_emulator, 5)
    for job_id in job_ids:
        cortex_emulator.jobs.crash(job_id)

    async def work(client: SharedClient) -> None:
        for _ in range(2):
            errors = await poll(client, job_ids)
            assert {type(error) for error in errors} == {UnreachableError}
            assert all(job_id in str(e) for job_id, e in zip(job_ids, errors, strict=True))

    with_client(work)
    assert batches(cortex_emulator) == [1] * 4


@pytest.mark.parametrize("is_rejected", [False, True])
def test_only_unanswered_statements_in_a_row_count(
    is_rejected: bool, cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an answer, or a rejection, the next job is polled."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "1")
    job_ids = running(cortex_emulator, 5)
    for job_id in job_ids[::2]:
        cortex_emulator.jobs.crash(job_id)
    if is_rejected:
        job_ids[1], job_ids[3] = "ft_gone", "ft_gone_too"
    between = RejectedError if is_rejected else FineTuneJob
    lost = UnreachableError
    assert [type(o) for o in poll_together(job_ids)] == [lost, between, lost, between, lost]


def test_a_new_poll_has_its_own_statement_while_another_fails(
    cortex_emulator: Emulator, connection: str
) -> None:
    """It does not get the error of a statement that began before."""
    (job_id,) = running(cortex_emulator, 1)
    cortex_emulator.jobs.crash(job_id)
    cortex_emulator.statement_delay = 0.3

    async def work(client: SharedClient) -> None:
        failing = asyncio.create_task(client.describe(job_id))
        await asyncio.to_thread(wait_until, lambda: cortex_emulator.statements)
        (newcomer,) = running(cortex_emulator, 1)
        job = await client.describe(newcomer)
        assert isinstance(job, FineTuneJob)
        assert job.id == newcomer
        assert isinstance(await failing, UnreachableError)

    with_client(work)
