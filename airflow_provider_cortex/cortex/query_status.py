"""The state of a statement that runs without a session."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_cortex.cortex.error_codes import advice
from airflow_provider_cortex.errors import QueryFailedError

FAILED = frozenset({"ABORTING", "ABORTED", "FAILED_WITH_ERROR", "FAILED_WITH_INCIDENT"})
"""Names of the driver's ``QueryStatus``: the statement has failed, or was cancelled."""

UNKNOWN = frozenset({"NO_DATA", "DISCONNECTED"})
"""Names of the driver's ``QueryStatus``: Snowflake cannot tell just now."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """
    The state of a statement.

    :param query_id: Snowflake's id of it.
    :param status: a name of the driver's ``QueryStatus``. A new one counts as running.
    :param message: Snowflake's error message, if it failed.
    """

    query_id: str
    status: str
    message: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether its state will not change any more."""
        return self.status == "SUCCESS" or self.status in FAILED

    def check(self) -> None:
        """
        Do nothing if it has not failed.

        :raises QueryFailedError: if it has.
        """
        if self.status in FAILED:
            said = self.message or self.status
            raise QueryFailedError(self.query_id, said, advice(said))
