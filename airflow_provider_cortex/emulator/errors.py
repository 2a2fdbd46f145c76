"""What the emulated account refuses, in the words Snowflake's drivers understand."""

import json
import re
from typing import Self

_MARK = re.compile(r"SqlError: (?=\{)")


class SqlError(Exception):
    """
    A refusal with Snowflake's error number, SQL state and message.

    DuckDB reports an exception raised inside a Python function only as text, so
    this one spells itself as JSON and can be found again in such a text.
    """

    def __init__(self, *, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(json.dumps({"errno": errno, "sqlstate": sqlstate, "message": message}))
        self.errno = errno
        self.sqlstate = sqlstate
        self.message = message

    @property
    def number(self) -> str:
        """The error's number as Snowflake writes it, in six digits."""
        return f"{self.errno:06}"

    @classmethod
    def found_in(cls, text: str) -> Self | None:
        """Return the error that *text* quotes, if any."""
        if not (mark := _MARK.search(text)):
            return None
        said, _ = json.JSONDecoder().raw_decode(text, mark.end())
        return cls(**said)


def unknown_job(job_id: str) -> SqlError:
    # Guess: Snowflake's words for a missing job are not published. Number and
    # state are those of any "does not exist or not authorized".
    return SqlError(
        errno=2003,
        sqlstate="02000",
        message=f"SQL compilation error:\nFine-tuning job '{job_id}' does not exist or not authorized.",
    )


def invalid_identifier(written: str) -> SqlError:
    # Guess: where in the statement it is.
    return SqlError(
        errno=904,
        sqlstate="42000",
        message="SQL compilation error: error line 1 at position 7\n"
        f"invalid identifier '{written}'",
    )


def already_exists(name: str) -> SqlError:
    return SqlError(
        errno=2002,
        sqlstate="42710",
        message=f"SQL compilation error:\nObject '{name}' already exists.",
    )


def unknown_model_object(name: str) -> SqlError:
    # Guess: the general form of "does not exist or not authorized".
    return SqlError(
        errno=2003,
        sqlstate="02000",
        message=f"SQL compilation error:\nModel '{name}' does not exist or not authorized.",
    )


def syntax_error(unexpected: str) -> SqlError:
    # Guess: where in the statement it is, and how much of it is told.
    return SqlError(
        errno=1003,
        sqlstate="42000",
        message="SQL compilation error:\n"
        f"syntax error line 1 at position 5 unexpected '{unexpected}'.",
    )


def internal_error() -> SqlError:
    # The general form, as users report it; the numbers in it differ.
    return SqlError(
        errno=603,
        sqlstate="XX000",
        message="SQL execution internal error:\n"
        "Processing aborted by error 300010:2064317110; incident 4711.",
    )


def canceled() -> SqlError:
    # As users report it of statements that were cancelled.
    return SqlError(errno=604, sqlstate="57014", message="SQL execution canceled")


def unknown_model(model: str) -> SqlError:
    # Verbatim from Snowflake-Labs/sfquickstarts issues 2028 and 2030, but for the name.
    said = json.dumps(f'unknown model "{model}"')
    return SqlError(
        errno=100351,
        sqlstate="P0000",
        message="Request failed for external function COMPLETE$V2 "
        f"with remote service error: 400 '{said}'",
    )


def unknown_function(name: str) -> SqlError:
    # Also what a role without SNOWFLAKE.CORTEX_USER sees.
    return SqlError(
        errno=2141,
        sqlstate="42601",
        message=f"SQL compilation error:\nUnknown user-defined function {name}",
    )


def too_many_calls(calls: int, *, limit: int) -> SqlError:
    # Guess: no limit is known. Number, state and form are those of a list that is too long.
    return SqlError(
        errno=1795,
        sqlstate="42601",
        message="SQL compilation error:\nmaximum number of calls of Cortex functions in a "
        f"statement exceeded, expected at most {limit:,}, got {calls:,}",
    )


def invalid_value(value: object, *, parameter: str) -> SqlError:
    # Guess: Snowflake's general form, not seen in the wild for these functions.
    return SqlError(
        errno=1008,
        sqlstate="22023",
        message=f"SQL compilation error:\ninvalid value [{value}] for parameter '{parameter}'",
    )


def invalid_arguments(*, of: str, got: object) -> SqlError:
    # Guess: the general form, except that Snowflake would list types, not values.
    return SqlError(
        errno=1044,
        sqlstate="42P13",
        message="SQL compilation error: error line 1 at position 7\n"
        f"Invalid argument types for function '{of}': {json.dumps(got)}",
    )


def no_current(kind: str, *, statement: str) -> SqlError:
    """Return the refusal of an unqualified name in a session without a *kind* to look in."""
    return SqlError(
        errno=90105 if kind == "database" else 90106,
        sqlstate="22000",
        message=f"Cannot perform {statement}. This session does not have a current {kind}. "
        f"Call 'USE {kind.upper()}', or use a qualified name.",
    )
