"""The cache of an account's jobs: what it knows, and what that costs."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from airflow_provider_cortex.cortex.job import parse_list
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import UnreadableAnswerError
from airflow_provider_cortex.page.app import create_app
from airflow_provider_cortex.page.jobs_cache import MAX_BACKOFF_SECONDS, JobsCache
from tests.clock import Clock
from tests.page.client import DESCRIBE, SHOW, accounts, statement_count

Run = Callable[..., None]


def test_500_jobs_take_one_show_and_three_describes(
    browser: TestClient, cortex_emulator: Emulator
) -> None:
    """Five hundred jobs take one SHOW and three DESCRIBE statements."""
    for number in range(499):
        cortex_emulator.jobs.add(model=f"model {number}")
    cortex_emulator.life = Life.by_looks(100)
    cortex_emulator.jobs.add(model="running")
    (account,) = accounts(browser)
    assert len(account["jobs"]) == 500
    assert all(job["progress"] is not None for job in account["jobs"])
    counts = [statement_count(cortex_emulator, part) for part in (SHOW, DESCRIBE)]
    assert counts == [1, 3]


async def poll_again(cache: JobsCache, clock: Clock) -> Any:
    """Return the jobs of a new poll."""
    clock.now += 3600
    return await cache.snapshot(wait_seconds=60)


def test_finished_jobs_are_described_once(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """A poll of finished jobs is one SHOW; if a job is running, one DESCRIBE more."""
    for number in range(300):
        cortex_emulator.jobs.add(model=f"model {number}")
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        await cache.snapshot(wait_seconds=60)
        before = len(cortex_emulator.statements)
        await poll_again(cache, clock)
        assert len(cortex_emulator.statements) == before + 1
        cortex_emulator.life = Life.by_looks(10)
        job = cortex_emulator.jobs.add(model="running")
        snapshot = await poll_again(cache, clock)
        assert snapshot.jobs[0].id == job.id
        assert (await poll_again(cache, clock)).jobs[0].progress == 0.1
        assert len(cortex_emulator.statements) == before + 5

    run(view(), cache)


def test_ten_viewers_cost_one_poll(browser: TestClient, cortex_emulator: Emulator) -> None:
    """Any number of viewers costs one poll while the cached jobs are valid."""
    cortex_emulator.jobs.add(model="triage")
    for _ in range(10):
        accounts(browser)
    assert len(cortex_emulator.statements) == 2
    assert cortex_emulator.logins == 1


def test_viewers_do_not_wait_for_a_slow_snowflake(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """During a slow poll, viewers get the cached jobs, and the note that new ones are loading."""
    job = cortex_emulator.jobs.add(model="triage")
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        first = await cache.snapshot(wait_seconds=60)
        assert not first.is_loading
        cortex_emulator.statement_delay = 0.5
        clock.now += 15
        began = time.monotonic()
        snapshots = [await cache.snapshot(wait_seconds=0.001) for _ in range(10)]
        assert time.monotonic() - began < 0.4
        assert all(snapshot.is_loading for snapshot in snapshots)
        assert {snapshot.jobs[0].id for snapshot in snapshots} == {job.id}
        last = await cache.snapshot(wait_seconds=60)
        assert (last.is_loading, last.as_of) == (False, clock.now)
        assert statement_count(cortex_emulator, SHOW) == 2

    run(view(), cache)


def test_a_failing_connection_does_not_hide_the_others(
    browser: TestClient,
    as_viewer: dict[str, str],
    cortex_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An account that cannot be polled shows its error; the other accounts show their jobs."""
    job = cortex_emulator.jobs.add(model="triage")
    settings = json.loads(cortex_emulator.airflow_connection)
    settings["extra"] |= {"port": 1, "login_timeout": 1}
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps(settings))
    monkeypatch.setenv("AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS", "broken, snowflake_default,missing,")
    with TestClient(create_app(), headers=as_viewer) as client:
        broken, good, missing = accounts(client)
    assert "with connection 'broken'" in broken["error"]
    assert (broken["jobs"], broken["as_of"]) == ([], None)
    assert [known["id"] for known in good["jobs"]] == [job.id]
    assert (missing["conn_id"], missing["is_missing"], missing["error"]) == ("missing", True, None)


def test_an_empty_list_of_connections_is_valid(
    as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any connection the page exists, and polls nothing."""
    monkeypatch.setenv("AIRFLOW__CORTEX__JOBS_PAGE_CONN_IDS", " ")
    with TestClient(create_app(), headers=as_viewer) as client:
        assert accounts(client) == []


def test_a_failed_poll_keeps_the_cached_jobs(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """A failed poll keeps the jobs and the time of the last one; a successful poll clears it."""
    cortex_emulator.jobs.add(model="triage")
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        first = await cache.snapshot(wait_seconds=60)
        cortex_emulator.has_cortex_user_role = False
        failed = await poll_again(cache, clock)
        assert (failed.jobs, failed.as_of) == (first.jobs, first.as_of)
        assert "Unknown" in failed.error.details
        cortex_emulator.has_cortex_user_role = True
        again = await poll_again(cache, clock)
        assert (again.error, again.as_of) == (None, clock.now)

    run(view(), cache)


def test_rejected_logins_back_off(connection: str, cortex_emulator: Emulator, run: Run) -> None:
    """After a rejected login the next one waits ever longer, to avoid locking the user out."""
    cortex_emulator.password = "another"
    clock = Clock()
    began = clock.now
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)
    login_minutes = []

    async def view() -> None:
        while clock.now < began + 180 * 60:
            before = cortex_emulator.refused_logins
            snapshot = await cache.snapshot(wait_seconds=60)
            assert snapshot.error
            assert snapshot.error.is_login_rejected
            assert snapshot.retry_at > clock.now
            logins = cortex_emulator.refused_logins - before
            login_minutes.extend([(clock.now - began) / 60] * logins)
            clock.now += 15

    run(view(), cache)
    assert login_minutes == [0, 15, 45, 105, 165]


def test_other_errors_are_retried_after_two_minutes(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """After any number of failed polls, the next one comes in two minutes at most."""
    job = cortex_emulator.jobs.add(model="triage")
    cortex_emulator.jobs.crash(job.id)
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        for _ in range(10):
            before = len(cortex_emulator.statements)
            snapshot = await cache.snapshot(wait_seconds=60)
            assert snapshot.error
            assert len(cortex_emulator.statements) > before
            clock.now += MAX_BACKOFF_SECONDS
        cortex_emulator.jobs.resume(job.id)
        snapshot = await cache.snapshot(wait_seconds=60)
        assert (snapshot.error, len(snapshot.jobs)) == (None, 1)

    run(view(), cache)


def test_jobs_in_an_unanswered_statement_are_listed(
    connection: str, cortex_emulator: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unanswered DESCRIBE hides no job; later polls describe all but the job that causes it."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "8")
    crashing = [cortex_emulator.jobs.add(model="triage") for _ in range(8)][3]
    cortex_emulator.jobs.crash(crashing.id)
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        snapshot = await cache.snapshot(wait_seconds=60)
        assert len(snapshot.jobs) == 8
        assert (snapshot.as_of, snapshot.is_complete) == (clock.now, False)
        assert snapshot.error
        assert "could not describe" in snapshot.error.details
        for _ in range(8):
            snapshot = await poll_again(cache, clock)
        described = {job.id for job in snapshot.jobs if job.model}
        assert described == {job.id for job in snapshot.jobs} - {crashing.id}

    run(view(), cache)


def test_unreadable_entries_of_the_list_hide_no_job() -> None:
    """The page leaves out entries of SHOW that are not jobs; other callers get an error."""
    answer = '[{"id": "ft_1", "status": "SUCCESS"}, {"id": "ft_2", "status": null}, 3]'
    assert [job.id for job in parse_list(answer, skip_unreadable=True)] == ["ft_1"]
    with pytest.raises(UnreadableAnswerError):
        parse_list(answer)
