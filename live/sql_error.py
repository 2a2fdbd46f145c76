"""The SQL error with which Snowflake rejects a statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_cortex.cortex.error_codes import UNKNOWN_CORTEX_FUNCTION
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import RejectedError, UnreachableError
from airflow_provider_cortex.safe_text import excerpt
from live.account import Account
from live.finding import CannotTellError


@dataclass(frozen=True)
class SqlError:
    """
    An error of Snowflake's server.

    :param number: Snowflake's error number.
    :param state: the SQL state, five characters.
    """

    number: int | None
    state: str | None
    message: str

    def __str__(self) -> str:
        return f"error {self.number} ({self.state}): {excerpt(self.message)}"


def error_of(work: Callable[[], object]) -> SqlError | None:
    """
    Return the error with which Snowflake rejects what *work* does; None if it accepts it.

    :raises CannotTellError: if the role may not use one of Cortex's functions, or it has retired.
    :raises UnreachableError: if the error is not an SQL error, but the network's.
    """
    from snowflake.connector import ProgrammingError

    try:
        work()
    except (RejectedError, UnreachableError) as error:
        cause = error.__cause__
        if not isinstance(cause, ProgrammingError):
            raise
        message = cause.raw_msg or str(cause)
        if UNKNOWN_CORTEX_FUNCTION.search(message):
            raise CannotTellError(excerpt(message)) from error
        return SqlError(cause.errno, cause.sqlstate, message)
    return None


def error_of_sql(account: Account, sql: str) -> SqlError | None:
    """Return the error with which Snowflake rejects a statement; None if it accepts it."""
    return error_of(lambda: account.hook.run_once(Call(sql, ()), about="run a statement"))


def answer(error: SqlError | None) -> str:
    """Return Snowflake's answer in words."""
    return "accepted" if error is None else str(error)
