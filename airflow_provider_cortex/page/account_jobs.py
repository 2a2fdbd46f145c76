"""The jobs of one connection's account, asked for seldom, however many people look."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.job_list import JobList, row
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import ConnectionNotFoundError, CortexError, RejectedError
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.waiting import listing

log = logging.getLogger(__name__)

NETWORK_TIMEOUT = 20
"""Seconds for which the driver tries one step of a look."""

PATIENCE = 0.05
"""Seconds for which somebody who looks waits for news, rather than get what was known before."""

LAST_PATIENCE = 3.0
"""Seconds for which the end of the application waits for the end of a session."""

AFTER_REFUSAL = 15 * 60.0
"""
Seconds without another look after the first refused login, and twice that after the next: Snowflake locks a user out who is
turned down some times in a row, and each process of the api-server looks by itself.
"""

LONGEST_AFTER_REFUSAL = 60 * 60.0
"""Seconds at the most, however many logins were refused."""

LONGEST_PAUSE = 2 * 60.0
"""Seconds to the next look at the most after any other trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """What is known of an account's jobs."""

    conn_id: str
    jobs: tuple[FineTuneJob, ...] = ()
    """The newest first."""
    rows: str = "[]"
    """What a table tells of them, as JSON: written once, however many people look."""
    is_complete: bool = True
    """Whether the next look would tell no more of what is over."""
    as_of: float | None = None
    """When Snowflake told it, epoch seconds; None if it has not yet."""
    is_loading: bool = False
    """Whether Snowflake is being asked just now."""
    is_missing: bool = False
    """Whether Airflow has no such connection."""
    error: str | None = None
    """Why the last look failed; the jobs are what is known all the same."""

    def find(self, job_id: str) -> FineTuneJob | None:
        """Return a job by its id."""
        return next((job for job in self.jobs if job.id == job_id), None)


class AccountJobs:
    """
    The jobs of one connection's account.

    What is known is good for a while, and Snowflake is asked by one thread, of this account only: who looks gets what
    is known, even if Snowflake does not answer. A look that fails makes the next one come later, and later.

    To be used in one event loop.

    :param refresh_seconds: for how long what is known is good.
    :param clock: tells the time, epoch seconds.
    """

    def __init__(
        self, conn_id: str, *, refresh_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.known = AccountView(conn_id=conn_id)
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._due = 0.0
        self._failures = 0
        self._overview = JobList(batch_size())
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortex-page")
        self._work: asyncio.Future[None] | None = None

    async def view(self, *, patience: float = PATIENCE) -> AccountView:
        """
        Return what is known, and have Snowflake asked if that is old.

        :param patience: for how many seconds to wait for the answer.
        """
        if not self._is_loading and self._clock() >= self._due:
            loop = asyncio.get_running_loop()
            self._work = loop.run_in_executor(self._thread, self._look)
        if self._work is not None:
            await asyncio.wait({self._work}, timeout=patience)
        return replace(self.known, is_loading=self._is_loading)

    async def close(self) -> None:
        """End the session, once its thread is through with what it is doing; a few seconds are waited for that."""
        ending = asyncio.get_running_loop().run_in_executor(self._thread, self._end_session)
        self._thread.shutdown(wait=False)
        await asyncio.wait({ending}, timeout=LAST_PATIENCE)

    @property
    def _is_loading(self) -> bool:
        return self._work is not None and not self._work.done()

    @cached_property
    def _hook(self) -> CortexHook:
        session = SessionSettings(snowflake_conn_id=self.known.conn_id).shared()
        # Each look finds the connection as it is then.
        return CortexHook.of(session, network_timeout=NETWORK_TIMEOUT, logs_in_again=False)

    def _look(self) -> None:
        """Ask Snowflake, and keep what came of it."""
        is_logged_in = False
        try:
            self._hook.open()
            is_logged_in = True
            listing.show(self._hook, self._overview)
            self._keep()  # to describe them may take its time
            listing.describe(self._hook, self._overview)
            self._keep()
        except Exception as error:  # noqa: BLE001 - whatever a secrets backend raises, people are to see it
            is_turned_down = isinstance(error, RejectedError) and not is_logged_in
            self._fail(error, is_turned_down=is_turned_down)
        else:
            self._failures, self._due = 0, self._clock() + self._refresh_seconds
            self.known = replace(self.known, is_missing=False, error=None)

    def _keep(self) -> None:
        now, jobs = self._clock(), self._overview.jobs
        self.known = replace(
            self.known,
            jobs=jobs,
            rows=json.dumps([row(job, now=now) for job in jobs]),
            as_of=now,
            is_complete=self._overview.is_complete,
        )

    def _fail(self, error: Exception, *, is_turned_down: bool) -> None:
        self._failures += 1
        pause = self._pause(is_turned_down=is_turned_down)
        self._due = self._clock() + pause
        said = str(error) if isinstance(error, CortexError) else repr(error)
        if is_turned_down:
            said += f" (Snowflake is not asked again for {pause / 60:.0f} min.)"
        is_missing = isinstance(error, ConnectionNotFoundError)
        if not is_missing:
            log.warning("The jobs page could not look at the fine-tuning jobs: %s", said)
        self.known = replace(self.known, is_missing=is_missing, error=None if is_missing else said)

    def _pause(self, *, is_turned_down: bool) -> float:
        """Return how many seconds to leave Snowflake alone, after a login that it has refused or other trouble."""
        times = 2.0 ** min(self._failures - 1, 30)
        if is_turned_down:
            return min(LONGEST_AFTER_REFUSAL, AFTER_REFUSAL * times)
        return max(self._refresh_seconds, min(LONGEST_PAUSE, self._refresh_seconds * times))

    def _end_session(self) -> None:
        if "_hook" in vars(self):
            self._hook.close()
