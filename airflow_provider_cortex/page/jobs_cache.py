"""A cache of one account's jobs: however many people view the page, Snowflake is polled once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.job_list import JobList
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.page.connection_fingerprint import fingerprint
from airflow_provider_cortex.page.poll_error import PollError
from airflow_provider_cortex.page.table_row import row
from airflow_provider_cortex.safe_text import for_log

log = logging.getLogger(__name__)

NETWORK_TIMEOUT = 20
"""Seconds for each of the driver's requests, retries included."""

POLL_WAIT_SECONDS = 0.05
"""How long a viewer waits for a new poll before getting the cached jobs."""

CLOSE_WAIT_SECONDS = 3.0
"""How long the application's shutdown waits for the session to close."""

LOGIN_BACKOFF_SECONDS = 15 * 60.0
"""
The pause after a rejected login; it doubles each time. Snowflake locks a user out after some
rejected logins in a row, and each process of the api-server logs in by itself.
"""

MIN_REFRESH_SECONDS = 5.0
"""The pause between two polls that users ask for after a failed one."""

MAX_LOGIN_BACKOFF_SECONDS = 60 * 60.0
MAX_BACKOFF_SECONDS = 2 * 60.0
"""The longest pause after any other error."""


@dataclass(frozen=True, kw_only=True)
class JobsSnapshot:
    """The jobs of an account at the time of the last poll."""

    conn_id: str
    jobs: tuple[FineTuneJob, ...] = ()
    """Newest first."""
    rows: tuple[Mapping[str, Any], ...] = ()
    """The jobs as rows of the page's table, ready for JSON."""
    is_complete: bool = True
    """Whether every finished job has been described."""
    as_of: float | None = None
    """When Snowflake reported the jobs, epoch seconds; None before its first answer."""
    is_loading: bool = False
    """Whether a poll is running."""
    error: PollError | None = None
    """Why the last poll failed; the jobs are those of the last successful one."""
    retry_at: float | None = None
    """When the next poll after a failed one is due, epoch seconds."""

    def find(self, job_id: str) -> FineTuneJob | None:
        """Return a job by its id."""
        return next((job for job in self.jobs if job.id == job_id), None)


class JobsCache:
    """
    A cache of the jobs of one connection's account, for use in one event loop.

    One thread polls Snowflake. Viewers get the cached jobs, even if Snowflake does not answer.
    Each failed poll lengthens the pause before the next one, unless a user asks for it.

    :param refresh_seconds: how long the cached jobs are valid.
    :param clock: returns the time, epoch seconds.
    """

    def __init__(
        self, conn_id: str, *, refresh_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.latest = JobsSnapshot(conn_id=conn_id)
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._next_poll = self._next_refresh = 0.0
        self._failures = 0
        self._rejected_connection: bytes | None = None
        """The connection whose login was rejected, as a fingerprint."""
        self._job_list = JobList(batch_size())
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortex-page")
        self._polling: asyncio.Future[None] | None = None

    async def snapshot(
        self, *, wait_seconds: float = POLL_WAIT_SECONDS, is_refresh: bool = False
    ) -> JobsSnapshot:
        """
        Return the cached jobs; start a poll if they are no longer valid.

        :param wait_seconds: how long to wait for a running poll.
        :param is_refresh: whether a user asks to try again after a failed poll. After a rejected
            login that takes a changed connection.
        """
        if not self._is_loading and (work := self._due_work(is_refresh=is_refresh)):
            self._next_refresh = self._clock() + MIN_REFRESH_SECONDS
            self._polling = asyncio.get_running_loop().run_in_executor(self._thread, work)
        if self._polling is not None:
            await asyncio.wait({self._polling}, timeout=wait_seconds)
        return replace(self.latest, is_loading=self._is_loading)

    async def close(self) -> None:
        """Close the session once a running poll has ended; wait some seconds for that."""
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close_session)
        self._thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=CLOSE_WAIT_SECONDS)

    def _due_work(self, *, is_refresh: bool) -> Callable[[], None] | None:
        """Return what the thread has to do now, if anything."""
        now, error = self._clock(), self.latest.error
        if now >= self._next_poll:
            return self._poll
        if not is_refresh or error is None or now < self._next_refresh:
            return None
        return self._poll_changed_connection if error.is_login_rejected else self._poll

    @property
    def _is_loading(self) -> bool:
        return self._polling is not None and not self._polling.done()

    @cached_property
    def _hook(self) -> CortexHook:
        session = SessionSettings(snowflake_conn_id=self.latest.conn_id).shared()
        # Each poll reads the connection again: a user may have changed it.
        return CortexHook.of(session, network_timeout=NETWORK_TIMEOUT, logs_in_again=False)

    def _poll_changed_connection(self) -> None:
        """Poll if the connection has changed since its login was rejected."""
        if self._fingerprint() != self._rejected_connection:
            self._poll()

    def _fingerprint(self) -> bytes | None:
        """Return what the connection says now, None if it cannot be looked up."""
        try:
            return fingerprint(self._hook.get_connection(self.latest.conn_id))
        except Exception:  # noqa: BLE001 - secrets backends may raise anything; the poll reports it
            return None

    def _poll(self) -> None:
        """Ask Snowflake for the jobs, and cache the answer or the error."""
        # Before the login: a change meanwhile allows one login more.
        connection = None if self._hook.is_open else self._fingerprint()
        try:
            self._hook.open()
            self._job_list.list_jobs(self._hook.jobs())
            self._store_jobs()  # before describing them, which may take long
            self._job_list.describe_jobs(self._hook.jobs())
            self._store_jobs()
        except Exception as error:  # noqa: BLE001 - secrets backends may raise anything
            self._rejected_connection = connection
            self._store_error(PollError.of(error, conn_id=self.latest.conn_id))
        else:
            self._failures, self._next_poll = 0, self._clock() + self._refresh_seconds
            self.latest = replace(self.latest, error=None, retry_at=None)

    def _store_jobs(self) -> None:
        now, jobs = self._clock(), self._job_list.jobs
        self.latest = replace(
            self.latest,
            jobs=jobs,
            rows=tuple(row(job, now=now) for job in jobs),
            as_of=now,
            is_complete=self._job_list.is_complete,
        )

    def _store_error(self, error: PollError) -> None:
        self._failures += 1
        self._next_poll = self._clock() + self._backoff(error)
        if not error.is_missing:
            log.warning(
                "The jobs page could not list the fine-tuning jobs: %s", for_log(error.details)
            )
        self.latest = replace(self.latest, error=error, retry_at=self._next_poll)

    def _backoff(self, error: PollError) -> float:
        """Return the seconds before the next poll after failed ones."""
        factor = 2.0 ** min(self._failures - 1, 30)
        if error.is_login_rejected:
            return min(MAX_LOGIN_BACKOFF_SECONDS, LOGIN_BACKOFF_SECONDS * factor)
        return max(self._refresh_seconds, min(MAX_BACKOFF_SECONDS, self._refresh_seconds * factor))

    def _close_session(self) -> None:
        if "_hook" in vars(self):
            self._hook.close()
