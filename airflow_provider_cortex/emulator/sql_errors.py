"""The SQL errors of the emulated account, in the form that Snowflake's drivers understand."""

import json
import re
from typing import Self

_MARK = re.compile(r"SqlError: (?=\{)")


class SqlError(Exception):
    """
    An error with Snowflake's error number, SQL state and message: *errno*, *sqlstate*, *message*.

    DuckDB reports an exception from a Python function only as text. So the text of
    this exception is JSON, and :meth:`found_in` reads it back.
    """

    def __init__(self, *, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(json.dumps({"errno": errno, "sqlstate": sqlstate, "message": message}))
        self.errno = errno
        self.sqlstate = sqlstate
        self.message = message

    @property
    def code(self) -> str:
        """The error number as Snowflake writes it: six digits."""
        return f"{self.errno:06}"

    @classmethod
    def found_in(cls, text: str) -> Self | None:
        """Return the error that *text* quotes, or None."""
        if not (mark := _MARK.search(text)):
            return None
        fields, _ = json.JSONDecoder().raw_decode(text, mark.end())
        return cls(**fields)


def unknown_job(job_id: str) -> SqlError:
    # Snowflake's message is not published (guess unknown-job-error).
    return SqlError(
        errno=2003,
        sqlstate="02000",
        message="SQL compilation error:\n"
        f"Fine-tuning job '{job_id}' does not exist or not authorized.",
    )


# Guess error-wording: Cortex's functions and the statements for models use the general numbers,
# SQL states and forms: 1008 (22023) for an invalid value, 1044 (42P13) for invalid arguments, 2003
# (02000) for an unknown model, 1795 (42601) for too many calls, 709 (02000) for a missing result,
# 100035 (22000) for a value of the wrong type. The position of an error in the statement is always
# the same here. If wrong: real clients see other numbers and texts than in tests.


def invalid_identifier(written: str) -> SqlError:
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


def unsupported_type(name: str) -> SqlError:
    # Snowflake's general form (guess error-wording).
    return SqlError(
        errno=2040,
        sqlstate="42601",
        message=f"SQL compilation error:\nUnsupported data type '{name}'.",
    )


def number_out_of_range() -> SqlError:
    # Snowflake would show the number (guess error-wording).
    return SqlError(
        errno=100046, sqlstate="22003", message="Number out of representable range: 38 digits"
    )


def insufficient_privileges() -> SqlError:
    # Snowflake's general form; it would name the object (guess error-wording).
    return SqlError(
        errno=3001,
        sqlstate="42501",
        message="SQL access control error:\nInsufficient privileges: the emulator gives SQL no "
        "access to files, to the network, or to the settings of its database.",
    )


def syntax_error(unexpected: str) -> SqlError:
    # Snowflake quotes less of the statement (guess error-wording).
    return SqlError(
        errno=1003,
        sqlstate="42000",
        message="SQL compilation error:\n"
        f"syntax error line 1 at position 5 unexpected '{unexpected}'.",
    )


def internal_error() -> SqlError:
    # The general form, as users report it; the numbers in the message differ.
    return SqlError(
        errno=603,
        sqlstate="XX000",
        message="SQL execution internal error:\n"
        "Processing aborted by error 300010:2064317110; incident 4711.",
    )


def query_canceled() -> SqlError:
    # As users report it for cancelled statements.
    return SqlError(errno=604, sqlstate="57014", message="SQL execution canceled")


def unknown_model(model: str) -> SqlError:
    # Verbatim from Snowflake-Labs/sfquickstarts issues 2028 and 2030, except for the name.
    quoted = json.dumps(f'unknown model "{model}"')
    return SqlError(
        errno=100351,
        sqlstate="P0000",
        message="Request failed for external function COMPLETE$V2 "
        f"with remote service error: 400 '{quoted}'",
    )


def unknown_function(name: str) -> SqlError:
    # A role without SNOWFLAKE.CORTEX_USER sees this error, too (guess role-rejected).
    kind = "user-defined function" if "." in name else "function"
    return SqlError(
        errno=2141,
        sqlstate="42601",
        message=f"SQL compilation error:\nUnknown {kind} {name}",
    )


def too_many_calls(calls: int, *, limit: int) -> SqlError:
    # No limit is known. The form is that of a list that is too long (guess error-wording).
    return SqlError(
        errno=1795,
        sqlstate="42601",
        message="SQL compilation error:\nmaximum number of calls of Cortex functions in a "
        f"statement exceeded, expected at most {limit:,}, got {calls:,}",
    )


def invalid_value(value: object, *, parameter: str) -> SqlError:
    # Snowflake's general form (guess error-wording).
    return SqlError(
        errno=1008,
        sqlstate="22023",
        message=f"SQL compilation error:\ninvalid value [{value}] for parameter '{parameter}'",
    )


def invalid_arguments(*, of: str, got: object) -> SqlError:
    # Snowflake would list the types instead of the values (guess error-wording).
    return SqlError(
        errno=1044,
        sqlstate="42P13",
        message="SQL compilation error: error line 1 at position 7\n"
        f"Invalid argument types for function '{of}': {json.dumps(got)}",
    )


def no_current(kind: str, *, statement: str) -> SqlError:
    """
    Return the error for an unqualified name in a session without a current *kind*.

    :param kind: ``database`` or ``schema``.
    :param statement: what Snowflake cannot perform, such as ``CREATE MODEL``.
    """
    return SqlError(
        errno=90105 if kind == "database" else 90106,
        sqlstate="22000",
        message=f"Cannot perform {statement}. This session does not have a current {kind}. "
        f"Call 'USE {kind.upper()}', or use a qualified name.",
    )


def result_not_found(query_id: str) -> SqlError:
    # As RESULT_SCAN's (guess error-wording).
    return SqlError(errno=709, sqlstate="02000", message=f"Statement {query_id} not found")


def unknown_object(kind: str, name: str) -> SqlError:
    """
    Return the error for a database, role, warehouse, user, function or model to drop or change.

    :func:`unknown_model` is the one of COMPLETE.
    """
    # The general form (guess error-wording).
    return SqlError(
        errno=2003,
        sqlstate="02000",
        message=f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.",
    )


def no_such_file(path: str) -> SqlError:
    # Snowflake's form for a missing file; it would quote a URL (guess error-wording).
    return SqlError(errno=91016, sqlstate="22000", message=f"Remote file '{path}' was not found.")


def no_directory_table(stage: str) -> SqlError:
    # Snowflake's text is not published (guess error-wording).
    return SqlError(
        errno=391550,
        sqlstate="0A000",
        message=f"Directory table is not enabled for stage '{stage}'.",
    )


# The numbers of these three are those that snowflake-ml-python expects. Their states and texts are
# not published (guess error-wording).


def no_dataset(name: str) -> SqlError:
    return SqlError(
        errno=399019,
        sqlstate="02000",
        message=f"Dataset '{name}' does not exist or not authorized.",
    )


def no_dataset_version(version: str) -> SqlError:
    return SqlError(
        errno=399012, sqlstate="02000", message=f"Dataset version '{version}' does not exist."
    )


def dataset_version_exists(version: str) -> SqlError:
    return SqlError(
        errno=399020, sqlstate="42710", message=f"Dataset version '{version}' already exists."
    )


def unknown_extraction_model(model: str) -> SqlError:
    # The form that COMPLETE uses (guess error-wording).
    quoted = json.dumps(f'unknown model "{model}"')
    return SqlError(
        errno=100351,
        sqlstate="P0000",
        message="Request failed for external function AI_EXTRACT "
        f"with remote service error: 400 '{quoted}'",
    )


def no_such_namespace() -> SqlError:
    """Return the error of USE for a database or schema that does not exist."""
    return SqlError(
        errno=2043,
        sqlstate="02000",
        message="SQL compilation error:\nObject does not exist, or operation cannot be performed.",
    )


def not_emulated(feature: str) -> SqlError:
    """Return the error for a feature that the emulator does not have, and Snowflake does."""
    # Snowflake's number for a feature that it does not support.
    return SqlError(
        errno=2,
        sqlstate="0A000",
        message=f"Unsupported feature: the emulator does not emulate {feature}. Use a Snowflake "
        "account for this statement, or leave it out.",
    )
