"""What a task keeps beyond its processes and tries: Airflow 3.3's task state store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.errors import ArgumentError
from airflow_provider_cortex.waiting.wait_log import Log


class TaskStateStore:
    """
    One value that a task keeps beyond its processes and tries: Airflow 3.3's task state store.

    :param context: the task's.
    :param key: the value's name.
    :param log: the task's.
    """

    def __init__(self, context: Mapping[str, Any], key: str, log: Log) -> None:
        self._store = compat.task_state_store(context)
        self._key = key
        self._log = log

    @property
    def exists(self) -> bool:
        """Whether this Airflow has such a store."""
        return self._store is not None

    def read(self) -> object:
        """Return the value, None if there is none."""
        return self._try("read", lambda store: store.get(self._key))

    def write(self, value: Any) -> None:
        """Keep a value that JSON can hold."""
        self._try("written", lambda store: store.set(self._key, value))

    def _try(self, what: str, call: Callable[[Any], object]) -> object:
        if self._store is None:
            return None
        try:
            return call(self._store)
        except Exception as error:  # noqa: BLE001 - of any kind: the task goes on without
            self._log.warning("Airflow's task state store cannot be %s: %s", what, error)
            return None


def store_for_stalls(
    context: Mapping[str, Any], key: str, stall_timeout: float, log: Log
) -> TaskStateStore:
    """
    Return the store that a rescheduled sensor needs for *stall_timeout*.

    :raises ArgumentError: if this Airflow has none.
    """
    store = TaskStateStore(context, key, log)
    if not store.exists:
        raise ArgumentError(
            "stall_timeout",
            stall_timeout,
            "needs Airflow 3.3 or later in mode 'reschedule': earlier ones keep nothing between two"
            " polls. Use deferrable=True or mode='poke'.",
        )
    return store
