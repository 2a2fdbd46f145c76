"""
Tell Snowflake's refusals, which stay, from trouble that passes: by number and SQL state.

Never by text, which is nobody's contract. What is in neither table passes: a wait bears it for its contact
budget, and then ends in a failure that may be retried. To take a refusal for trouble costs some minutes;
the other way round a job would run on with nobody waiting for it.

Sources: the Python driver (``errorcode.py``, ``network.py``, ``sqlstate.py``, ``auth/_auth.py``), and the
classes of SQLSTATE. Snowflake publishes no list of its server's numbers: those without a source are a guess.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from types import TracebackType


class ErrorKind(Enum):
    """What an error means to who asks again."""

    PASSES = auto()
    """The same call may well succeed in a minute."""
    SESSION_OVER = auto()
    """The session is no more; a new one may do."""
    LOGIN = auto()
    """The credentials were turned down; others may do."""
    LASTS = auto()
    """The same call would be refused again."""


ERRNOS = {
    # Snowflake's server.
    603: ErrorKind.PASSES,  # internal error while processing the statement (guess: worth another try)
    604: ErrorKind.PASSES,  # the statement was cancelled
    606: ErrorKind.LASTS,  # no active warehouse selected
    630: ErrorKind.PASSES,  # the statement ran into STATEMENT_TIMEOUT_IN_SECONDS
    # "Request failed for external function … with remote service error: …": what is behind a Cortex function
    # refused, or was busy. Seen with COMPLETE; only its text would tell which, so it is borne.
    100350: ErrorKind.PASSES,
    100351: ErrorKind.PASSES,
    # The session. network.py, but for the first.
    390111: ErrorKind.SESSION_OVER,  # the session no longer exists (guess)
    390112: ErrorKind.SESSION_OVER,  # SESSION_EXPIRED
    390113: ErrorKind.SESSION_OVER,  # MASTER_TOKEN_NOTFOUND
    390114: ErrorKind.SESSION_OVER,  # MASTER_TOKEN_EXPIRED
    390115: ErrorKind.SESSION_OVER,  # MASTER_TOKEN_INVALD
    # The credentials. network.py (CREDENTIAL_REJECTION_GS_CODES, and tokens that are too old).
    390100: ErrorKind.LOGIN,  # AUTHORIZATION_FAILURE
    390110: ErrorKind.LOGIN,  # ID_TOKEN_EXPIRED
    390144: ErrorKind.LOGIN,  # JWT_TOKEN_INVALID
    390195: ErrorKind.LOGIN,  # ID_TOKEN_INVALID_LOGIN_REQUEST
    390303: ErrorKind.LOGIN,  # OAUTH_ACCESS_TOKEN_INVALID
    390318: ErrorKind.LOGIN,  # OAUTH_ACCESS_TOKEN_EXPIRED
    **dict.fromkeys(range(394300, 394307), ErrorKind.LOGIN),  # JWT_TOKEN_INVALID, and its relatives
    # The driver. errorcode.py: the connection's own fields are of no use.
    251001: ErrorKind.LASTS,  # ER_NO_ACCOUNT_NAME
    251005: ErrorKind.LASTS,  # ER_NO_USER
    251006: ErrorKind.LASTS,  # ER_NO_PASSWORD
    251007: ErrorKind.LASTS,  # ER_INVALID_VALUE
    251008: ErrorKind.LASTS,  # ER_INVALID_PRIVATE_KEY
    # … a value cannot be bound.
    252004: ErrorKind.LASTS,  # ER_FAILED_PROCESSING_PYFORMAT
    252012: ErrorKind.LASTS,  # ER_FAILED_PROCESSING_QMARK
    255001: ErrorKind.LASTS,  # ER_NOT_SUPPORT_DATA_TYPE
    # … a ForbiddenError at login (290000 + 250001): no such account, or blocked.
    540001: ErrorKind.LASTS,
}

SQLSTATES = {
    "02": ErrorKind.LASTS,  # no data: Snowflake's "does not exist or not authorized" is 02000
    "0A": ErrorKind.LASTS,  # feature not supported
    "22": ErrorKind.LASTS,  # data exception: an invalid value
    "23": ErrorKind.LASTS,  # integrity constraint violation
    "28": ErrorKind.LOGIN,  # invalid authorization: sqlstate.py's AUTHORIZATION_FAILURE is 28000
    "3D": ErrorKind.LASTS,  # invalid database
    "3F": ErrorKind.LASTS,  # invalid schema
    "42": ErrorKind.LASTS,  # syntax error or access rule violation: no privilege, no such function
    "44": ErrorKind.LASTS,  # WITH CHECK OPTION violation
}
"""By class, which is the first two characters."""

LOGIN_ERRNOS = {
    base + status: ErrorKind.LASTS
    # The driver adds the first to an HTTP status; some of its errors add it twice.
    for base in (290000, 580000)
    for status in (400, 401, 403, 404, 405)
}
"""At login: no such account, or not for us. Later on these statuses are a proxy's, and pass."""

FAULTS = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    AssertionError,
    ImportError,
    NameError,
    NotImplementedError,
)
"""What Python raises for a mistake: a connection's field of the wrong type, a missing library, a bug."""

READERS = (
    "snowflake.connector.auth",
    "snowflake.connector.cursor",
    "snowflake.connector.network",
    "snowflake.connector.result_batch",
)
"""Where the driver reads an answer. It checks few of them, so a proxy's makes it fail there."""


def may_pass(error: BaseException) -> bool:
    """
    Return whether an error that the driver has not foreseen may be gone in a minute.

    A mistake stays, unless it is made in reading an answer: that came from a proxy, say. Which
    it is, the place tells where it happened. Anything else (a secrets backend, the operating system) may pass.
    """
    if not isinstance(error, FAULTS) or isinstance(error, OSError | json.JSONDecodeError):
        return True
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code, module = last.tb_frame.f_code, str(last.tb_frame.f_globals.get("__name__"))
    return module.startswith(READERS) or code.co_name == "cmd_query"


def classify(
    *, errno: int | None, sqlstate: str | None, logging_in: bool = False, turned_down: bool = False
) -> ErrorKind:
    """
    Return what an error of the driver means.

    :param errno: the driver's error number, which is the server's if that sent one.
    :param sqlstate: five characters.
    :param logging_in: whether it happened at login.
    :param turned_down: whether Snowflake itself turned the login down. Older drivers have one number
        for that and for a network that fails (250001).
    """
    if logging_in and errno in LOGIN_ERRNOS:
        return LOGIN_ERRNOS[errno]
    if errno in ERRNOS:
        return ERRNOS[errno]
    if turned_down:
        return ErrorKind.LOGIN
    return SQLSTATES.get((sqlstate or "")[:2], ErrorKind.PASSES)
