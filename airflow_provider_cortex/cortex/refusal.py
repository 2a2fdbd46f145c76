"""
Tell Snowflake's refusals, which stay, from trouble that passes: by number.

By text only where Snowflake has one number for both.

Sources: the numbers of the Python driver (``snowflake/connector/errorcode.py``, ``network.py``,
``sqlstate.py``) and SQLSTATE's classes. Snowflake publishes no list of its server's numbers: those
without a source below are a guess.
"""

from __future__ import annotations

import re

PASSING_ERRNOS = frozenset(
    {
        603,  # internal error while processing the statement (guess: worth another try)
        604,  # the statement was cancelled
        630,  # the statement ran into STATEMENT_TIMEOUT_IN_SECONDS
        390111,  # the session no longer exists (guess)
        390112,  # driver: SESSION_EXPIRED
        390113,  # driver: MASTER_TOKEN_NOTFOUND
        390114,  # driver: MASTER_TOKEN_EXPIRED
        390115,  # driver: MASTER_TOKEN_INVALID
    }
)
"""They end a statement or a session; the next one may do."""

SESSION_OVER_ERRNOS = frozenset({390111, 390112, 390113, 390114, 390115})
"""Of those, the ones that say of a session that it is no more."""

LASTING_ERRNOS = frozenset(
    {
        606,  # no active warehouse selected (SQLSTATE 57P03)
        # The connection's own fields are of no use.
        251001,  # driver: no account
        251005,  # driver: no user
        251006,  # driver: no password
        251007,  # driver: invalid value
        251008,  # driver: invalid private key
        540001,  # driver: ForbiddenError at login (290000 + 250001): no such account, or blocked
    }
)

LASTING_HTTP_STATUSES = frozenset({400, 401, 403, 404, 405})
"""At login: no such account, or not for us. Later on they are a proxy's, and pass."""

HTTP_ERRNOS = (290000, 580000)
"""The driver adds the first to an HTTP status; some of its errors add it twice."""

REMOTE_SERVICE_ERRNOS = frozenset({100350, 100351})
"""
"Request failed for external function … with remote service error: 400 …": what is behind a Cortex function
refused, or was busy. Seen with COMPLETE; that FINETUNE answers so is a guess.
"""

_REMOTE_STATUS = re.compile(r"remote service error: '?(\d{3})")
_PASSING_REMOTE_STATUSES = frozenset({"408", "429"})

PASSING_SQLSTATES = ("08", "53", "57", "58", "XX")
"""Classes: connection, resources, operator intervention, system error, internal error."""


def is_lasting(
    *,
    errno: int | None,
    sqlstate: str | None,
    message: str = "",
    statement: bool = False,
    logging_in: bool = False,
    turned_down: bool = False,
) -> bool:
    """
    Return whether the same call would be refused again.

    :param errno: the driver's error number.
    :param sqlstate: five characters.
    :param message: the driver's.
    :param statement: whether the driver calls it an error in the statement (its ``ProgrammingError``).
    :param logging_in: whether it happened at login.
    :param turned_down: whether Snowflake itself turned the login down.
    """
    if errno in PASSING_ERRNOS:
        return False
    if errno in REMOTE_SERVICE_ERRNOS:
        return _remote_service_refused(message)
    if turned_down or errno in LASTING_ERRNOS:
        return True
    if logging_in and _http_status(errno) in LASTING_HTTP_STATUSES:
        return True
    return statement and not (sqlstate or "").startswith(PASSING_SQLSTATES)


def _remote_service_refused(message: str) -> bool:
    found = _REMOTE_STATUS.search(message)
    if found is None:
        return False
    return found[1].startswith("4") and found[1] not in _PASSING_REMOTE_STATUSES


def _http_status(errno: int | None) -> int | None:
    rests = ((errno or 0) - base for base in HTTP_ERRNOS)
    return next((rest for rest in rests if 100 <= rest < 600), None)  # noqa: PLR2004 - HTTP's range
