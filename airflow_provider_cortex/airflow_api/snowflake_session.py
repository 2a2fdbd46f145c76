"""
One Snowflake session over Airflow's ``SnowflakeHook``: log in, run statements, translate errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from cryptography.exceptions import UnsupportedAlgorithm

from airflow_provider_cortex.airflow_api import compat, polling_metrics
from airflow_provider_cortex.cortex.error_codes import (
    ErrorKind,
    advice,
    classify,
    may_pass,
    unreadable_file,
)
from airflow_provider_cortex.cortex.rendered_values import json_number, mapping, number
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import (
    ArgumentError,
    ConnectionNotFoundError,
    CortexError,
    InvalidConnectionError,
    LoginRejectedError,
    RejectedError,
    UnreachableError,
)
from airflow_provider_cortex.safe_text import excerpt, for_log

if TYPE_CHECKING:
    from snowflake.connector import Error, SnowflakeConnection

SECONDS_FIELDS = frozenset(
    {"login_timeout", "network_timeout", "socket_timeout", "platform_detection_timeout_seconds"}
)
"""
Fields of a connection's extra, in seconds, that the driver takes and ``SnowflakeHook`` leaves
out.
"""

DRIVER_FIELDS = SECONDS_FIELDS | {"protocol"}
"""All fields of a connection's extra that the driver takes and ``SnowflakeHook`` leaves out."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EMULATOR_HINT = (
    "Is the emulator running (python -m airflow_provider_cortex.emulator),"
    " and does this process have the variables that it prints?"
)

OAUTH_REJECTIONS = frozenset({400, 401, 403})
"""HTTP statuses with which an OAuth endpoint rejects a token request."""

LOGIN_TIMEOUT_SECONDS = 60
"""How long the driver tries to log in, unless the connection says otherwise."""

REJECTIONS = {
    ErrorKind.PERMANENT: RejectedError,
    ErrorKind.LOGIN: LoginRejectedError,
    ErrorKind.CONFIGURATION: InvalidConnectionError,
}
"""How a permanent error of the driver is raised."""

Result = TypeVar("Result")


class Answer(NamedTuple):
    """The answer to a statement."""

    columns: tuple[str, ...]
    rows: list[Any]


class SnowflakeSession(SnowflakeHook):
    """
    A ``SnowflakeHook`` that keeps one session until :meth:`close`, and raises this package's
    errors.

    If Snowflake has ended the session, a statement that only reads is sent again in a new one.
    Any other lost session is replaced at the next statement. Not for several threads at once.

    For the arguments see :class:`~airflow_provider_cortex.hooks.CortexHook`.
    """

    def __init__(
        self,
        snowflake_conn_id: str = SnowflakeHook.default_conn_name,
        *,
        query_tag: str | None = None,
        network_timeout: int | None = None,
        logs_in_again: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(snowflake_conn_id=snowflake_conn_id, **kwargs)
        self.query_tag = query_tag
        self.network_timeout = network_timeout
        self.logs_in_again = logs_in_again
        self._session: SnowflakeConnection | None = None
        self._last_query_id: str | None = None
        self._emulator_hint = ""

    def open(self) -> None:
        """Log in, unless a session is open; every statement does it by itself."""
        self.in_session(lambda _: None, about="log in")

    @property
    def is_open(self) -> bool:
        """Whether a session is open, as far as this process knows."""
        return self._session is not None

    @property
    def last_query_id(self) -> str | None:
        """The last statement that Snowflake answered, by its id in the query history."""
        return self._last_query_id

    def get_conn(self) -> SnowflakeConnection:
        """Open a session of the caller's own, as ``SnowflakeHook`` does."""
        connection: SnowflakeConnection = super().get_conn()
        return connection

    def disconnect(self) -> None:
        """
        Close the network connections of the session, which stays open.

        Each takes a megabyte: the driver loads all certificate authorities for it.
        """
        rest = self._session.rest if self._session is not None else None
        if rest is not None:
            rest.session_manager.close()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """End the session, if one is open."""
        session, self._session = self._session, None
        if session is None:
            return
        from snowflake.connector import Error

        try:
            session.close(retry=False)  # a dead network must not delay the caller
        except (Error, OSError) as error:
            self.log.debug("The Snowflake session did not close: %s", error)

    def answer(self, call: Call, *, about: str) -> Answer:
        """
        Run a statement and return its answer.

        :param about: the statement in words, for errors: ``cancel fine-tuning job …``.
        """
        return self.in_session(
            lambda session: self._execute(session, call), about=about, only_reads=call.only_reads
        )

    def in_session(
        self,
        work: Callable[[SnowflakeConnection], Result],
        *,
        about: str,
        only_reads: bool = True,
    ) -> Result:
        """
        Return what *work* returns; if Snowflake has ended the session and it only reads, try
        again.
        """
        from snowflake.connector import Error

        try:
            before = self._session
            session = self._open()
            try:
                return work(session)
            except Error as error:
                # A token may expire in the middle of a session: a new login has a new one.
                is_ended = _kind(error) in {ErrorKind.SESSION_ENDED, ErrorKind.LOGIN}
                if session is not before or not only_reads or not is_ended:
                    raise
                self.log.info("Snowflake has ended the session: logging in again")
                self.close()
                return work(self._open())
        except CortexError:
            raise
        except Exception as error:  # a secrets backend may raise anything
            if self._session is None and (why := unreadable_file(error)):
                problem = f"a file that it names cannot be read ({why})"
                raise self._invalid_connection(problem) from None  # whose text has the path
            raise self._translated(error, about) from error

    def _execute(self, session: SnowflakeConnection, call: Call) -> Answer:
        began = time.monotonic()
        try:
            with session.cursor() as cursor:
                cursor.execute(call.sql, call.values)
                self._last_query_id = cursor.sfqid
                columns = tuple(column.name for column in cursor.description)
                return Answer(columns, cursor.fetchall())
        finally:
            took = time.monotonic() - began
            polling_metrics.statement(took, jobs=call.jobs, conn_id=self.get_conn_id())

    def _open(self) -> SnowflakeConnection:
        """Return the open session, or log in."""
        if self._session is None or self._session.is_closed():
            self._session = None  # in case the login fails
            self._session = self._log_in()
        return self._session

    def _log_in(self) -> SnowflakeConnection:
        """
        Open a session.

        After a rejected login the connection is looked up once more: its password may just have
        changed. Only once: Snowflake locks a user out after several failed logins in a row.
        """
        from snowflake.connector import Error

        try:
            return self._connect()
        except Error as error:
            if not self.logs_in_again or _kind(error, logging_in=True) is not ErrorKind.LOGIN:
                raise
            self.log.warning(
                "Snowflake rejected the login with connection %r; trying once more with the"
                " connection's current settings",
                self.get_conn_id(),
            )
            return self._connect()

    def _connect(self) -> SnowflakeConnection:
        """
        Open a session for this package's own statements.

        They use the pyformat style and no transactions, whatever
        ``snowflake.connector.paramstyle`` and the user's ``AUTOCOMMIT`` say.
        """
        from snowflake.connector import connect
        from snowflake.connector.network import ReauthenticationRequest

        try:
            return connect(**self._get_conn_params(), paramstyle="pyformat", autocommit=True)
        except ReauthenticationRequest as request:  # a driver before 4.8, if a token has expired
            raise request.cause from request

    def _get_conn_params(self) -> dict[str, Any]:
        """Add what ``SnowflakeHook`` leaves out: the protocol, timeouts and the query tag."""
        try:
            with compat.fresh_login(self):
                params: dict[str, Any] = super()._get_conn_params()
                extra = self.get_connection(self.get_conn_id()).extra_dejson
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError(self.get_conn_id()) from error
        except OSError as error:  # raised by requests, for an OAuth endpoint
            response = getattr(error, "response", None)
            if getattr(response, "status_code", None) in OAUTH_REJECTIONS:
                rejected = self._rejected(LoginRejectedError, "get an OAuth token", error)
                raise rejected from error
            raise
        # Contradicting fields, or a key that cannot be used.
        except (AirflowException, UnsupportedAlgorithm, ValueError, TypeError) as error:
            raise self._invalid_connection(error) from error
        if params.get("host") in LOOPBACK:
            port = params.get("port")
            self._emulator_hint = f"(It is port {port} of this machine. {EMULATOR_HINT})"
        try:
            return params | self._driver_fields(extra) | self._session_parameters(params)
        except ArgumentError as error:
            raise self._invalid_connection(error) from error

    def _driver_fields(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the driver's timeouts, in seconds, and the other fields of *extra* that it takes.
        """
        fields: dict[str, Any] = {"login_timeout": LOGIN_TIMEOUT_SECONDS}
        if self.network_timeout is not None:
            fields["login_timeout"] = min(LOGIN_TIMEOUT_SECONDS, self.network_timeout)
            fields["network_timeout"] = self.network_timeout
            # network_timeout bounds retries; only this one ends a request without an answer.
            fields["socket_timeout"] = self.network_timeout
        for name in DRIVER_FIELDS & extra.keys():
            value = extra[name]
            if name in SECONDS_FIELDS and value is not None:
                # A connection that is written as a URI has text here.
                value = json_number(number(name, value))
            fields[name] = value
        return fields

    def _session_parameters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the session's parameters, with the query tag."""
        # A connection that is written as a URI has JSON text here.
        parameters = mapping("session_parameters", params.get("session_parameters")) or {}
        if self.query_tag and not any(name.upper() == "QUERY_TAG" for name in parameters):
            parameters = {**parameters, "QUERY_TAG": self.query_tag}
        return {"session_parameters": dict(parameters)}

    def _translated(self, error: Exception, about: str) -> CortexError:
        """Return any error of a statement or a login as this package's."""
        from snowflake.connector import Error

        if isinstance(error, Error):
            error.msg = for_log(error.msg or "")  # a task's log shows it as the cause
            kind = _kind(error, logging_in=self._session is None)
            if kind in REJECTIONS:
                return self._rejected(REJECTIONS[kind], about, error)
            return self._unreachable(about, error)
        # The driver, too, may raise anything, for a proxy's answer.
        if may_pass(error):
            return self._unreachable(about, error)
        return self._misconfigured(about, error)

    def _invalid_connection(self, problem: object) -> InvalidConnectionError:
        return InvalidConnectionError(f"invalid connection {self.get_conn_id()!r}: {problem}")

    def _misconfigured(self, about: str, error: Exception) -> RejectedError:
        """Return the error for a failure that is neither the network's nor Snowflake's."""
        kind = InvalidConnectionError if self._session is None else RejectedError
        where = f"with connection {self.get_conn_id()!r}"
        return kind(
            f"cannot {about} {where}: {type(error).__name__}: {excerpt(str(error))}.",
            "The cause is neither the network nor Snowflake: check the connection's fields and the"
            " task's arguments.",
        )

    def _rejected(self, kind: type[RejectedError], about: str, error: Exception) -> RejectedError:
        where = f"with connection {self.get_conn_id()!r}"
        message = f"cannot {about} {where}: {excerpt(str(error))}"
        hint = advice(str(error))
        return kind(f"{message}.", hint) if hint else kind(message)

    def _unreachable(self, about: str, error: Exception) -> UnreachableError:
        from snowflake.connector import Error, ProgrammingError

        self.close()  # the session may be the cause: the next statement has a new one
        polling_metrics.transient_error(conn_id=self.get_conn_id())
        # A server that rejects a statement is running.
        hint = "" if isinstance(error, ProgrammingError) else self._emulator_hint
        where = f"with connection {self.get_conn_id()!r}"
        said = str(error) if isinstance(error, Error | OSError) else repr(error)
        return UnreachableError(f"could not {about} {where}: {excerpt(said)}", hint)


def _kind(error: Error, *, logging_in: bool = False) -> ErrorKind:
    """Return what an error of the driver means."""
    from snowflake.connector import DatabaseError

    return classify(
        errno=error.errno,
        sqlstate=error.sqlstate,
        logging_in=logging_in,
        # The driver raises a plain DatabaseError when Snowflake rejects the login.
        login_rejected=logging_in and type(error) is DatabaseError,
    )
