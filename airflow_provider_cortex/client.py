"""What a triggerer asks Cortex with: calls that wait in a thread, never on the event loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from asgiref.sync import sync_to_async

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.session import Session
from airflow_provider_cortex.errors import NoConnectionError, UnreachableError
from airflow_provider_cortex.hooks import CortexHook

Answer = TypeVar("Answer")

NETWORK_TIMEOUT = 60
"""Seconds for which the driver tries one look: a look that hangs is a look that failed."""


class CortexClient:
    """
    One Snowflake session, opened at the first call and kept for a whole wait.

    Everything that may block (the look-up of the connection, the login, the statements) runs in
    one thread of this client's own, through asgiref: it is asgiref that lets Airflow 3.0 and 3.1 look a
    connection up from a thread of the triggerer, and its default thread is shared by every trigger.

    Use it as ``async with CortexClient(session) as client``.
    """

    def __init__(self, session: Session) -> None:
        self._hook = CortexHook.of(session, network_timeout=NETWORK_TIMEOUT)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortex-client")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Nothing is awaited here: a trigger that is being cancelled must not wait for a statement.
        # The thread ends the session when it is through with what it is doing, and is gone.
        self._thread.submit(self._hook.close)
        self._thread.shutdown(wait=False)

    async def describe(self, job_id: str) -> FineTuneJob:
        """
        Return what Cortex knows of the job; raises as :class:`CortexHook` does, but for one.

        A connection that is missing was there when the worker looked: that passes, too.
        """
        try:
            return await self._in_thread(lambda: self._hook.describe(job_id))
        except NoConnectionError as error:
            raise UnreachableError(str(error)) from error

    async def cancel(self, job_id: str) -> str:
        """Cancel the job and return Cortex's sentence about it."""
        return await self._in_thread(lambda: self._hook.cancel(job_id))

    async def _in_thread(self, call: Callable[[], Answer]) -> Answer:
        return await sync_to_async(call, thread_sensitive=False, executor=self._thread)()
