"""
The account's asynchronous queries: submitted, looked at, over or cancelled.

Knows neither SQL nor HTTP. A query is run at the end of its life, all at once: until then it
has no effect, so that one that is cancelled never had any. As with a job, the end comes with
whoever asks first after it; asking, here, also is running the next statement.
"""

import threading
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_cortex.emulator.errors import SqlError, canceled
from airflow_provider_cortex.emulator.jobs import Clock
from airflow_provider_cortex.emulator.life import Life

Run = Callable[[str], Awaitable[dict[str, object]]]
"""Takes the query's id and runs it; returns the answer's data, or raises a SqlError."""


class Status(StrEnum):
    """Of those that snowflake-connector-python's QueryStatus knows."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED_WITH_ERROR = "FAILED_WITH_ERROR"
    # Guess: of one that was cancelled. It may as well be FAILED_WITH_ERROR, with the same number.
    ABORTED = "ABORTED"


@dataclass(slots=True, kw_only=True)
class Query:
    """A query, and what has become of it so far."""

    id: str
    sql: str
    session: int
    submitted_on: float
    """Epoch seconds."""
    life: Life
    run: Run = field(repr=False)
    status: Status = Status.RUNNING
    looks: int = 0
    finished_on: float | None = None
    error: SqlError | None = None
    data: dict[str, object] = field(default_factory=dict, repr=False)
    """What it answered."""
    is_run: bool = field(default=False, repr=False)
    """Whether it is being run, or has been."""

    @property
    def told(self) -> dict[str, object]:
        """What is said of its status: what the driver reads, and little more."""
        told: dict[str, object] = {
            "id": self.id,
            "status": self.status,
            "sqlText": self.sql,
            "sessionId": self.session,
            "startTime": int(self.submitted_on * 1000),
        }
        if self.finished_on is not None:
            told["endTime"] = int(self.finished_on * 1000)
        if self.error is not None:
            told |= {"errorCode": self.error.number, "errorMessage": self.error.message}
        return told


class Queries:
    """Every asynchronous query of the account. Safe to use from several threads."""

    def __init__(self, *, clock: Clock, life: Life) -> None:
        self.life = life
        self._clock = clock
        self._queries: dict[str, Query] = {}
        self._lock = threading.Lock()

    def submit(self, sql: str, *, session: int, run: Run) -> Query:
        """Take a query on; *run* is called when its life is over."""
        query = Query(
            id=str(uuid.uuid4()),
            sql=sql,
            session=session,
            submitted_on=self._clock(),
            life=self.life,
            run=run,
        )
        with self._lock:
            self._queries[query.id] = query
        return query

    def all(self) -> list[Query]:
        """Return every query, without counting as a look."""
        with self._lock:
            return list(self._queries.values())

    async def look(self, query_id: str) -> Query | None:
        """Look at a query, which ends it if its life is over; None if there is none of this id."""
        query = self._queries.get(query_id)
        if query is not None:
            await self._end(query)
            query.looks += 1
        return query

    async def settle(self) -> None:
        """End those whose life is over, whether anybody looks at them or not."""
        for query in self.all():
            await self._end(query)

    def cancel(self, query_id: str) -> bool:
        """End a query before it has had any effect; return False if none of this id is running."""
        query = self._queries.get(query_id)
        if query is None or not self._claim(query):
            return False
        self._finish(query, Status.ABORTED, canceled())
        return True

    async def _end(self, query: Query) -> None:
        age = self._clock() - query.submitted_on
        if query.life.share(looks=query.looks, age=age) < 1 or not self._claim(query):
            return
        try:
            query.data = await query.run(query.id)
        except SqlError as error:
            self._finish(query, Status.FAILED_WITH_ERROR, error)
        else:
            self._finish(query, Status.SUCCESS)

    def _claim(self, query: Query) -> bool:
        """Let only one of several end a query."""
        with self._lock:
            if query.is_run:
                return False
            query.is_run = True
        return True

    def _finish(self, query: Query, status: Status, error: SqlError | None = None) -> None:
        query.finished_on = self._clock()
        query.error = error
        query.status = status
