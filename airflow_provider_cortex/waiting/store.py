"""What a task instance keeps for its later processes and tries: Airflow 3.3 has a store for that."""

from __future__ import annotations

from typing import Any

from airflow_provider_cortex.waiting.progress import Log


class Store:
    """
    One value, by its key.

    It is a help and no more: what goes wrong with it is logged, and the task goes on.

    :param context: the task's; on Airflow 3.3 and later it has the store.
    :param log: the task's.
    """

    def __init__(self, context: Any, key: str, log: Log) -> None:
        self._store = context.get("task_state_store")
        self._key = key
        self._log = log

    @property
    def is_there(self) -> bool:
        """Whether this Airflow has a store."""
        return self._store is not None

    def read(self) -> object:
        """Return what was written last, None if nothing was."""
        if self._store is None:
            return None
        try:
            kept: object = self._store.get(self._key)
        except Exception as error:  # noqa: BLE001 - of whatever kind: it is only a help
            self._log.warning("Airflow's task state store cannot be read: %s", error)
            return None
        return kept

    def write(self, value: Any) -> None:
        """Keep a value that JSON can hold."""
        if self._store is None:
            return
        try:
            self._store.set(self._key, value)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.warning("Airflow's task state store cannot be written: %s", error)
