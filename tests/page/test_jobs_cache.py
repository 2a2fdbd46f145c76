"""The cache of an account's jobs: what it knows, and what that costs."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.models.connection import Connection
from starlette.testclient import TestClient

from airflow_provider_cortex.cortex.job import parse_list
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import RejectedError, UnreadableAnswerError
from airflow_provider_cortex.page.app import create_app
from airflow_provider_cortex.page.connection_fingerprint import fingerprint
from airflow_provider_cortex.page.jobs_cache import MAX_BACKOFF_SECONDS, JobsCache
from airflow_provider_cortex.page.poll_error import PollError
from tests.clock import Clock
from tests.page.client import DESCRIBE, SHOW, accounts, statement_count

Run = Callable[..., None]

CONNECTION = "AIRFLOW_CONN_SNOWFLAKE_DEFAULT"


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
            assert snapshot.retry_at
            assert snapshot.retry_at > clock.now
            logins = cortex_emulator.refused_logins - before
            login_minutes.extend([(clock.now - began) / 60] * logins)
            clock.now += 15

    run(view(), cache)
    assert login_minutes == [0, 15, 45, 105, 165]


def set_password(password: str, **extra: Any) -> None:
    """Change the password of the connection, and fields of its extra."""
    settings = json.loads(os.environ[CONNECTION])
    settings["extra"] |= extra
    os.environ[CONNECTION] = json.dumps(settings | {"password": password})


def test_a_repaired_login_is_tried_again_at_a_refresh(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """Refresh logs in again once the connection has changed, and not before."""
    cortex_emulator.jobs.add(model="triage")
    cortex_emulator.password = "another"
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        await cache.snapshot(wait_seconds=60)
        for _ in range(5):
            clock.now += 30
            unchanged = await cache.snapshot(wait_seconds=60, is_refresh=True)
            assert unchanged.error
        assert cortex_emulator.refused_logins == 1
        set_password("another")
        clock.now += 30
        assert (await cache.snapshot(wait_seconds=60)).error
        repaired = await cache.snapshot(wait_seconds=60, is_refresh=True)
        assert (repaired.error, repaired.retry_at, len(repaired.jobs)) == (None, None, 1)
        assert cortex_emulator.refused_logins == 1

    run(view(), cache)


def test_a_login_that_is_rejected_again_waits_again(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """A changed connection allows one login; if it is rejected, too, the pause is the next one."""
    cortex_emulator.password = "another"
    clock = Clock()
    began = clock.now
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        await cache.snapshot(wait_seconds=60)
        for attempt in range(3):
            clock.now += 60
            set_password(f"wrong {attempt}")
            for _ in range(3):
                snapshot = await cache.snapshot(wait_seconds=60, is_refresh=True)
        assert cortex_emulator.refused_logins == 4
        assert snapshot.retry_at == began + 3 * 60 + 60 * 60

    run(view(), cache)


def test_a_refresh_skips_the_pause_after_other_errors(
    connection: str, cortex_emulator: Emulator, run: Run
) -> None:
    """Pressing Refresh does not wait for the next poll; but some seconds lie between two."""
    cortex_emulator.has_cortex_user_role = False
    clock = Clock()
    cache = JobsCache(connection, refresh_seconds=15, clock=clock.time)

    async def view() -> None:
        await cache.snapshot(wait_seconds=60)
        before = len(cortex_emulator.statements)
        clock.now += 4
        for _ in range(5):
            assert (await cache.snapshot(wait_seconds=60, is_refresh=True)).error
        assert len(cortex_emulator.statements) == before
        cortex_emulator.has_cortex_user_role = True
        clock.now += 1
        assert (await cache.snapshot(wait_seconds=60)).error
        assert (await cache.snapshot(wait_seconds=60, is_refresh=True)).error is None
        after = len(cortex_emulator.statements)
        assert (await cache.snapshot(wait_seconds=60, is_refresh=True)).error is None
        assert len(cortex_emulator.statements) == after

    run(view(), cache)


def test_an_account_says_what_happened_and_what_to_do(
    browser: TestClient, cortex_emulator: Emulator
) -> None:
    """A rejected login has a sentence, the driver's text, a hint, and the time of the next one."""
    cortex_emulator.password = "another"
    (account,) = accounts(browser)
    assert account["error"] == ("Snowflake rejected the login with connection 'snowflake_default'.")
    assert "Incorrect username or password" in account["error_details"]
    assert "Change the connection and press Refresh" in account["error_hint"]
    assert account["is_login_rejected"]
    assert 14 < (account["retry_at"] / 1000 - time.time()) / 60 <= 15
    set_password("another")
    assert browser.get("/api/jobs", params={"refresh": "true"}).status_code == 200
    assert accounts(browser)[0]["error"]  # some seconds lie between two polls


def test_a_connection_that_no_driver_accepts_is_no_rejected_login(
    browser: TestClient, cortex_emulator: Emulator
) -> None:
    """An unreadable key file is an invalid connection: it is tried again soon."""
    set_password("", private_key_file="/nowhere/key.p8")
    (account,) = accounts(browser)
    assert account["error"] == "The connection 'snowflake_default' is invalid."
    assert "private_key_file" in account["error_details"]
    assert "Correct the connection" in account["error_hint"]
    assert not account["is_login_rejected"]
    assert account["retry_at"] / 1000 - time.time() <= 15
    assert cortex_emulator.logins == 0


def test_a_long_text_of_the_driver_is_shortened() -> None:
    """The page gets at most 2 kB of it, and no broken character."""
    error = RejectedError("cannot list the jobs")
    error.__cause__ = ValueError("ü" * 3000)
    shown = PollError.of(error, conn_id="c")
    assert len(shown.details.encode()) <= 2000
    assert shown.details.startswith("cannot list the jobs\n\nüü")
    assert shown.details.endswith("ü…")
    unknown = PollError.of(OSError("no vault"), conn_id="c")
    assert unknown.sentence == "Airflow could not look up the connection 'c'."
    assert (unknown.details, unknown.hint) == ("OSError('no vault')", None)


def test_a_connection_has_changed_if_its_key_file_has(tmp_path: Path) -> None:
    """What a login depends on is compared: every field, and the content of a key file."""
    key = tmp_path / "key.p8"
    extra = {"account": "a", "private_key_file": str(key)}
    missing = fingerprint(Connection(login="me", password="p", extra=json.dumps(extra)))
    key.write_text("one")
    seen = {missing, fingerprint(Connection(login="me", password="p", extra=json.dumps(extra)))}
    key.write_text("two")
    for changed in ({}, {"login": "you"}, {"password": "q"}, {"schema": "s"}, {"extra": "{}"}):
        fields: dict[str, Any] = {"login": "me", "password": "p", "extra": json.dumps(extra)}
        fields |= changed
        seen.add(fingerprint(Connection(**fields)))
    assert len(seen) == 7


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
