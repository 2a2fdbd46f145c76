"""
A user's statements of the last seven days, as Snowflake's query history has them.

Source: https://docs.snowflake.com/en/sql-reference/functions/query_history
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_cortex.cortex.query_status import FAILED
from airflow_provider_cortex.cortex.rendered_values import text as sendable
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import UnreadableAnswerError

_FUNCTION = "QUERY_HISTORY_BY_USER"

# A statement may have 100,000 characters, and the answer 10,000 statements.
_TEXT_LENGTH = 1000


@dataclass(frozen=True)
class PastStatement:
    """
    A statement that has been started, and perhaps has finished.

    :param query_id: Snowflake's id of it.
    :param status: Snowflake's word, such as RUNNING or QUEUED.
    :param text: the first 1,000 characters of the statement.
    """

    query_id: str
    status: str
    text: str

    @property
    def is_running(self) -> bool:
        """Whether it may still have an effect. A status that is not known counts as running."""
        return self.status != "SUCCESS" and self.status not in FAILED


# Guess statement-listed: the history lists a statement as soon as Snowflake has accepted it, and a
# session with a current database may name INFORMATION_SCHEMA without one. If wrong: a retry does
# not find the running statement of an earlier try, and pays for all rows again.
def search(text: str) -> Call:
    """
    Return the statement for the user's statements that contain a text in any case, newest first.

    Searches like this one are not among them. Snowflake lists those that run first, and then at
    most 10,000 in all; the role needs no privilege for its own user's.
    """
    sql = (
        f"SELECT query_id, execution_status, LEFT(query_text, {_TEXT_LENGTH})"  # noqa: S608 - constants
        f" FROM TABLE(INFORMATION_SCHEMA.{_FUNCTION}(RESULT_LIMIT => 10000))"
        f" WHERE CONTAINS(UPPER(query_text), UPPER(%s)) AND NOT CONTAINS(query_text, '{_FUNCTION}')"
        " ORDER BY start_time DESC"
    )
    return Call(sql, (sendable("text", text),), only_reads=True)


def read(rows: Sequence[Sequence[object]]) -> tuple[PastStatement, ...]:
    """
    Return the statements in the answer to :func:`search`.

    :raises UnreadableAnswerError: if it has another shape.
    """
    return tuple(map(_read_row, rows))


def _read_row(row: Sequence[object]) -> PastStatement:
    match row:
        case (str(query_id), str(status), str(text)):
            return PastStatement(query_id, status.upper(), text)
    raise UnreadableAnswerError("which should be an id, a status and a text", row)
