"""
The account's asynchronous queries: submitted, polled, finished or cancelled.

Contains no SQL and no HTTP. The emulator executes a query as a whole, at its end. So a running
query has had no effect yet, and a cancelled one never has any. A query whose time has come is
executed at the next poll or at the next statement of any session.
"""

import threading
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_cortex.emulator.life import Clock, Life
from airflow_provider_cortex.emulator.sql_errors import SqlError, query_canceled

Execute = Callable[[str], Awaitable[dict[str, object]]]
"""Executes the query under this id; returns the response's data, or raises a SqlError."""


class QueryStatus(StrEnum):
    """Some of the statuses in QueryStatus of snowflake-connector-python."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED_WITH_ERROR = "FAILED_WITH_ERROR"
    # Guess aborted-query: a cancelled query has the status ABORTED. If wrong: it is
    # FAILED_WITH_ERROR, with the same number; CortexHook reads both.
    ABORTED = "ABORTED"


@dataclass(slots=True, kw_only=True)
class AsyncQuery:
    """A query and everything that has happened to it so far."""

    id: str
    """What ``execute_async`` has returned."""
    sql: str
    """The statement."""
    session: int
    """The number of the session that has submitted it."""
    submitted_on: float
    """Epoch seconds."""
    life: Life
    """How long it takes."""
    execute: Execute = field(repr=False)
    """Executes it; for the emulator."""
    status: QueryStatus = QueryStatus.RUNNING
    """Such as ``RUNNING``."""
    looks: int = 0
    """How many times its status or its result has been requested."""
    finished_on: float | None = None
    """Epoch seconds; None while it runs."""
    error: SqlError | None = None
    """Why it has failed; None unless the status is ``FAILED_WITH_ERROR`` or ``ABORTED``."""
    data: dict[str, object] = field(default_factory=dict, repr=False)
    """The data of the response."""
    is_ended: bool = field(default=False, repr=False)
    """Whether it is being executed, was executed, or was cancelled."""

    @property
    def error_message(self) -> str | None:
        return None if self.error is None else self.error.message

    @property
    def record(self) -> dict[str, object]:
        """What a request for its status returns: little more than the driver reads."""
        record: dict[str, object] = {
            "id": self.id,
            "status": self.status,
            "sqlText": self.sql,
            "sessionId": self.session,
            "startTime": int(self.submitted_on * 1000),
        }
        if self.finished_on is not None:
            record["endTime"] = int(self.finished_on * 1000)
        if self.error is not None:
            record |= {"errorCode": self.error.code, "errorMessage": self.error.message}
        return record


class QueryRegistry:
    """All asynchronous queries of the account. Safe to use from several threads."""

    def __init__(self, *, clock: Clock, life: Life) -> None:
        self.life = life
        self._clock = clock
        self._queries: dict[str, AsyncQuery] = {}
        self._lock = threading.Lock()

    def submit(self, sql: str, *, session: int, execute: Execute) -> AsyncQuery:
        """Accept a query; *execute* is called when its time has come."""
        query = AsyncQuery(
            id=str(uuid.uuid4()),
            sql=sql,
            session=session,
            submitted_on=self._clock(),
            life=self.life,
            execute=execute,
        )
        with self._lock:
            self._queries[query.id] = query
        return query

    def all(self) -> list[AsyncQuery]:
        """Return every query, oldest first. This does not count as a poll."""
        with self._lock:
            return list(self._queries.values())

    async def poll(self, query_id: str) -> AsyncQuery | None:
        """Return a query, executed first if its time has come; None for an unknown id."""
        query = self._queries.get(query_id)
        if query is not None:
            await self._execute_if_due(query)
            query.looks += 1
        return query

    async def execute_due(self) -> None:
        """Execute every query whose time has come."""
        for query in self.all():
            await self._execute_if_due(query)

    def cancel(self, query_id: str) -> bool:
        """End a running query before it has any effect; return False if it is not running."""
        query = self._queries.get(query_id)
        if query is None or not self._claim(query):
            return False
        self._finish(query, QueryStatus.ABORTED, query_canceled())
        return True

    async def _execute_if_due(self, query: AsyncQuery) -> None:
        age = self._clock() - query.submitted_on
        if query.life.progress(looks=query.looks, age=age) < 1 or not self._claim(query):
            return
        try:
            query.data = await query.execute(query.id)
        except SqlError as error:
            self._finish(query, QueryStatus.FAILED_WITH_ERROR, error)
        else:
            self._finish(query, QueryStatus.SUCCESS)

    def _claim(self, query: AsyncQuery) -> bool:
        """Return True to only one of several callers: that one has to end the query."""
        with self._lock:
            if query.is_ended:
                return False
            query.is_ended = True
        return True

    def _finish(
        self, query: AsyncQuery, status: QueryStatus, error: SqlError | None = None
    ) -> None:
        query.finished_on = self._clock()
        query.error = error
        query.status = status
