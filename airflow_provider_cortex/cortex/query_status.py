"""How far a statement has come that runs without a session."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_cortex.errors import QueryFailedError

FAILED = frozenset({"ABORTING", "ABORTED", "FAILED_WITH_ERROR", "FAILED_WITH_INCIDENT"})
"""The driver's ``QueryStatus``: what a statement does not come back from."""

UNHEARD = frozenset({"NO_DATA", "DISCONNECTED"})
"""The same: nothing is known of the statement just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """
    How far a statement is.

    :param query_id: Snowflake's id of it.
    :param status: a name of the driver's ``QueryStatus``. One that is unknown here counts as
        running.
    :param message: what went wrong, if it failed.
    """

    query_id: str
    status: str
    message: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status == "SUCCESS" or self.status in FAILED

    def check(self) -> None:
        """
        Let it pass unless it has failed.

        :raises QueryFailedError: if it has.
        """
        if self.status in FAILED:
            raise QueryFailedError(self.query_id, self.message or self.status)
