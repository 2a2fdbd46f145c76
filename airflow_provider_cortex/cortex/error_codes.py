"""
Tell permanent errors of Snowflake and its driver from transient ones, by number and SQL state.

Never by text, which may change at any time. Unlisted errors count as transient: retrying a
permanent one costs minutes, giving up on a transient one abandons a paid job.

Sources: the Python driver (``errorcode.py``, ``network.py``, ``sqlstate.py``, ``auth/_auth.py``)
and the classes of SQLSTATE. Snowflake publishes no list of its server's error numbers
(guess server-errors).
"""

from __future__ import annotations

import errno as system
import json
import re
from enum import Enum, auto
from types import TracebackType


class ErrorKind(Enum):
    """Whether an error is worth retrying."""

    TRANSIENT = auto()
    """The same call may succeed a minute later."""
    SESSION_ENDED = auto()
    """The session has ended; the call may succeed in a new one."""
    LOGIN = auto()
    """Snowflake rejected the credentials; the call may succeed with others."""
    CONFIGURATION = auto()
    """The driver rejected a field of the connection, and sent no request."""
    PERMANENT = auto()
    """The same call would be rejected again."""


# Guess server-errors: the errors of Snowflake's server that have no source here mean what users
# report of them: 603 an internal error, which is transient, 604 a cancelled statement, 606 no
# active warehouse, 630 a timeout; and a missing object has a SQL state of class 02 or 42. If
# wrong: a task retries a permanent error for `contact_timeout`, or gives up at a transient one.
ERRNOS = {
    # Snowflake's server.
    603: ErrorKind.TRANSIENT,  # internal error while processing the statement
    604: ErrorKind.TRANSIENT,  # the statement was cancelled
    606: ErrorKind.PERMANENT,  # no active warehouse selected
    630: ErrorKind.TRANSIENT,  # the statement took longer than STATEMENT_TIMEOUT_IN_SECONDS
    # "Request failed for external function … with remote service error: …": the service behind a
    # Cortex function rejected the request, or was busy. Seen with COMPLETE. Only the text of the
    # message shows which, so it counts as transient.
    100350: ErrorKind.TRANSIENT,
    100351: ErrorKind.TRANSIENT,
    # Guess session-gone: the error 390111 means that the session no longer exists. If wrong: the
    # task logs in once more, and then fails with the error.
    390111: ErrorKind.SESSION_ENDED,
    # The session. From network.py.
    390112: ErrorKind.SESSION_ENDED,  # SESSION_EXPIRED
    390113: ErrorKind.SESSION_ENDED,  # MASTER_TOKEN_NOTFOUND
    390114: ErrorKind.SESSION_ENDED,  # MASTER_TOKEN_EXPIRED
    390115: ErrorKind.SESSION_ENDED,  # MASTER_TOKEN_INVALD
    # The credentials. From network.py: CREDENTIAL_REJECTION_GS_CODES and expired tokens.
    390100: ErrorKind.LOGIN,  # AUTHORIZATION_FAILURE
    390110: ErrorKind.LOGIN,  # ID_TOKEN_EXPIRED
    390144: ErrorKind.LOGIN,  # JWT_TOKEN_INVALID
    390195: ErrorKind.LOGIN,  # ID_TOKEN_INVALID_LOGIN_REQUEST
    390303: ErrorKind.LOGIN,  # OAUTH_ACCESS_TOKEN_INVALID
    390318: ErrorKind.LOGIN,  # OAUTH_ACCESS_TOKEN_EXPIRED
    **dict.fromkeys(range(394300, 394307), ErrorKind.LOGIN),  # JWT_TOKEN_INVALID etc.
    394400: ErrorKind.LOGIN,  # Programmatic access token is invalid
    # The driver. From errorcode.py: invalid fields of the connection,
    251001: ErrorKind.CONFIGURATION,  # ER_NO_ACCOUNT_NAME
    251005: ErrorKind.CONFIGURATION,  # ER_NO_USER
    251006: ErrorKind.CONFIGURATION,  # ER_NO_PASSWORD
    251007: ErrorKind.CONFIGURATION,  # ER_INVALID_VALUE
    251008: ErrorKind.CONFIGURATION,  # ER_INVALID_PRIVATE_KEY
    # … values that cannot be bound,
    252004: ErrorKind.PERMANENT,  # ER_FAILED_PROCESSING_PYFORMAT
    252012: ErrorKind.PERMANENT,  # ER_FAILED_PROCESSING_QMARK
    255001: ErrorKind.PERMANENT,  # ER_NOT_SUPPORT_DATA_TYPE
    # … and a ForbiddenError at login (290000 + 250001): the account is unknown or blocked.
    540001: ErrorKind.PERMANENT,
}

# Guess unknown-job-error: an unknown job is error 2003 with SQL state 02000, as any object that
# "does not exist or not authorized". If wrong: the task of an unknown job retries for
# `contact_timeout` before it fails.
SQLSTATES = {
    "02": ErrorKind.PERMANENT,  # no data: Snowflake's "does not exist or not authorized" is 02000
    "0A": ErrorKind.PERMANENT,  # feature not supported
    "22": ErrorKind.PERMANENT,  # data exception: an invalid value
    "23": ErrorKind.PERMANENT,  # integrity constraint violation
    "28": ErrorKind.LOGIN,  # invalid authorization: sqlstate.py's AUTHORIZATION_FAILURE is 28000
    "3D": ErrorKind.PERMANENT,  # invalid database
    "3F": ErrorKind.PERMANENT,  # invalid schema
    "42": ErrorKind.PERMANENT,  # syntax error or access violation: no privilege, unknown function
    "44": ErrorKind.PERMANENT,  # WITH CHECK OPTION violation
}
"""By class: the first two characters of the state."""

LOGIN_ERRNOS = {
    base + status: ErrorKind.PERMANENT
    # The driver adds 290000 to an HTTP status; some of its errors add it twice.
    for base in (290000, 580000)
    for status in (400, 401, 403, 404, 405)
}
"""At login: the account is unknown, or closed to this user. After login they are a proxy's."""

CODE_ERRORS = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    AssertionError,
    ImportError,
    NameError,
    NotImplementedError,
)
"""Python's errors for a connection's field of the wrong type, a missing library, or a bug."""

UNREADABLE_FILE = frozenset(
    {
        system.EACCES,
        system.EISDIR,
        system.ELOOP,
        system.ENAMETOOLONG,
        system.ENOENT,
        system.ENOTDIR,
        system.EPERM,
    }
)
"""The operating system's errors for a path at which there is no file to read."""

ANSWER_READERS = (
    "snowflake.connector.auth",
    "snowflake.connector.cursor",
    "snowflake.connector.network",
    "snowflake.connector.result_batch",
)
"""The driver's modules that read an answer. A proxy's answer may make them crash."""


# Guess role-rejected: Snowflake rejects `FINETUNE` and `AI_COMPLETE` in the same words as
# `COMPLETE`, if the role may not use Cortex. If wrong: the advice about grants is missing in the
# message. No live check: it takes a role without SNOWFLAKE.CORTEX_USER, which every role has
# unless it is revoked from PUBLIC.
UNKNOWN_CORTEX_FUNCTION = re.compile(r"Unknown .*function (SNOWFLAKE\.CORTEX\.|AI_)", re.IGNORECASE)
"""How Snowflake rejects a Cortex function that the role may not use."""

GRANTS_ADVICE = (
    "Snowflake says this, too, if the role may not use Cortex: it needs the database role"
    " SNOWFLAKE.CORTEX_USER, and the account privilege USE AI FUNCTIONS"
    " (https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-finetuning)."
)


def advice(message: str) -> str:
    """
    Return what to do about a rejected statement, by the text of its error; "" if unknown.

    Unlike what an error means, its advice may go by the text: if the text changes, only the advice
    is lost.
    """
    return GRANTS_ADVICE if UNKNOWN_CORTEX_FUNCTION.search(message) else ""


def unreadable_file(error: BaseException) -> str | None:
    """
    Return why a file, such as a key, cannot be read; None for any other error.

    Without the file's path: it may be a key that was pasted into the wrong field.
    """
    if not isinstance(error, OSError) or error.filename is None:
        return None
    return error.strerror if error.errno in UNREADABLE_FILE else None


def may_pass(error: BaseException) -> bool:
    """
    Return whether an error that is not one of the driver's own may be transient.

    A programming error is permanent, unless the traceback shows that the driver raised it while it
    read an answer: that may have come from a proxy. Anything else, such as an error of a secrets
    backend or the operating system, may be transient.
    """
    if not isinstance(error, CODE_ERRORS) or isinstance(error, OSError | json.JSONDecodeError):
        return True
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code, module = last.tb_frame.f_code, str(last.tb_frame.f_globals.get("__name__"))
    return module.startswith(ANSWER_READERS) or code.co_name == "cmd_query"


# Guess unlisted-errors: an error that is not listed here is transient. If wrong: a task retries
# for `contact_timeout` before it fails. No live check: there is no list of all errors.
def classify(
    *,
    errno: int | None,
    sqlstate: str | None,
    logging_in: bool = False,
    login_rejected: bool = False,
) -> ErrorKind:
    """
    Return whether an error of the driver is worth retrying.

    :param errno: the driver's error number, or the server's if it sent one.
    :param sqlstate: five characters.
    :param logging_in: whether it happened at login.
    :param login_rejected: whether Snowflake itself rejected the login. Older drivers use one
        number (250001) for that and for network errors.
    """
    if logging_in and errno in LOGIN_ERRNOS:
        return LOGIN_ERRNOS[errno]
    if errno in ERRNOS:
        return ERRNOS[errno]
    if login_rejected:
        return ErrorKind.LOGIN
    return SQLSTATES.get((sqlstate or "")[:2], ErrorKind.TRANSIENT)
