"""Call Snowflake Cortex over an ordinary Snowflake connection: synchronous, one method per call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

from airflow_provider_cortex.airflow_api import metrics
from airflow_provider_cortex.cortex import identifiers, sql
from airflow_provider_cortex.cortex.arguments import json_number, mapping, number
from airflow_provider_cortex.cortex.completion import (
    Completion,
    CompletionFunction,
    Question,
)
from airflow_provider_cortex.cortex.error_codes import ErrorKind, classify, may_pass
from airflow_provider_cortex.cortex.job import FineTuneJob, jobs
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import (
    ArgumentError,
    ConnectionNotFoundError,
    CortexError,
    RejectedError,
    UnknownNamespaceError,
    UnreachableError,
    UnreadableAnswerError,
    excerpt,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snowflake.connector import Error, SnowflakeConnection

PASSED_ON = (
    "protocol",
    "login_timeout",
    "network_timeout",
    "socket_timeout",
    "platform_detection_timeout_seconds",
)
"""Fields of a connection's extra that the driver takes and ``SnowflakeHook`` leaves out."""

TIMEOUTS = frozenset(PASSED_ON) - {"protocol"}
"""Those of them that are seconds."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EMULATOR_HINT = "Is the emulator running (python -m airflow_provider_cortex.emulator)?"

OAUTH_REFUSALS = frozenset({400, 401, 403})

LOGIN_TIMEOUT = 60
"""Seconds for which the driver tries to log in, unless the connection says otherwise."""


Told = TypeVar("Told")


class Answer(NamedTuple):
    """What a statement gave."""

    columns: tuple[str, ...]
    rows: list[Any]


class CortexHook(SnowflakeHook):
    """
    Fine-tuning jobs and completions, in one Snowflake session that is kept until :meth:`close`.

    It takes ordinary ``snowflake`` connections and everything that
    :class:`~airflow.providers.snowflake.hooks.snowflake.SnowflakeHook` does with them. A session
    that Snowflake has ended is replaced, and what only reads is asked again in the new one; any other
    that is lost is replaced at the next call. Not for several threads at once.

    Every call raises :class:`~airflow_provider_cortex.errors.RejectedError` for what would be refused
    again, :class:`~airflow_provider_cortex.errors.UnreachableError` for trouble that passes,
    :class:`~airflow_provider_cortex.errors.UnreadableAnswerError` for an answer in no known shape, and
    :class:`~airflow_provider_cortex.errors.ConnectionNotFoundError` without a connection.

    :param snowflake_conn_id: the Airflow connection's id.
    :param query_tag: Snowflake's ``QUERY_TAG`` for the session, unless the session parameters
        have one.
    :param network_timeout: for how many seconds the driver tries a statement, and a login at the most,
        unless the connection says otherwise. None: as long as it takes, since an answer may be long in
        coming; a login has a minute even so.
    :param logs_in_again: whether credentials that are turned down are looked up, and tried, once more.
    :param kwargs: as of ``SnowflakeHook``: warehouse, database, schema, role, authenticator,
        session_parameters …
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
        self.logs_in_again = logs_in_again
        self.query_tag = query_tag
        self.network_timeout = network_timeout
        self._session: SnowflakeConnection | None = None
        self._last_query_id: str | None = None
        self._hint = ""

    @classmethod
    def of(
        cls,
        session: SessionSettings,
        *,
        network_timeout: int | None = None,
        logs_in_again: bool = True,
    ) -> Self:
        """Return a hook for *session*."""
        return cls(
            **session.to_dict(), network_timeout=network_timeout, logs_in_again=logs_in_again
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Log in, unless a session is open; every call does it by itself."""
        with self._translated("log in"):
            self._open()

    @property
    def is_open(self) -> bool:
        """Whether a session is open, as far as is known here."""
        return self._session is not None

    @property
    def last_query_id(self) -> str | None:
        """The last statement that Snowflake has answered, by the id in its query history."""
        return self._last_query_id

    def query_url(self, query_id: str | None = None) -> str | None:
        """
        Return where Snowsight shows a query, by default the last one.

        None if there is none, if nobody can tell where, or if it was not Snowflake who ran it, but the emulator.
        """
        query_id = query_id or self._last_query_id
        return self.place().query_url(query_id) if query_id and not self._hint else None

    def place(self) -> Namespace:
        """
        Return where names belong that this session completes, without opening it.

        :raises ConnectionNotFoundError: if Airflow finds no such connection.
        """
        try:
            connection = self.get_connection(self.get_conn_id())
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError(self.get_conn_id()) from error

        def told(field: str) -> str | None:
            extra: dict[str, Any] = connection.extra_dejson
            # The longer name is that of Airflow 2.2 and earlier, as SnowflakeHook takes it still.
            return extra.get(field) or extra.get(f"extra__snowflake__{field}") or None

        account, region = self.account or told("account"), self.region or told("region")
        # As the driver does: a region of its own is the account's second part.
        in_region = account and region and "." not in account
        return Namespace(
            account=f"{account}.{region}" if in_region else account,
            host=told("host"),
            database=self.database or told("database"),
            schema=self.schema or connection.schema,
        )

    def describe(self, job_id: str) -> FineTuneJob:
        """Return what Cortex knows of the job."""
        (answer,) = self.describe_all([job_id])
        return FineTuneJob.parse(answer, job_id=job_id, query_id=self.last_query_id)

    def describe_all(self, job_ids: Sequence[str]) -> tuple[object, ...]:
        """
        Ask for several jobs in one statement, and return Cortex's answers in the same order.

        They are not read yet: one that cannot be read is the trouble of that job alone. But a job
        that Cortex refuses to describe takes the whole statement with it.
        """
        which = f"job {job_ids[0]}" if len(job_ids) == 1 else f"jobs, {len(job_ids)} at once"
        metrics.polls(len(job_ids), conn_id=self.get_conn_id())
        return self._row(
            sql.describe(*job_ids), width=len(job_ids), about=f"describe fine-tuning {which}"
        )

    def show(self, *, skip_unreadable: bool = False) -> tuple[FineTuneJob, ...]:
        """
        Return the account's jobs, each with its id, status, base model and creation time.

        :param skip_unreadable: leave out what is no job, rather than raise.
        """
        answer = self._cell(sql.show(), about="show the fine-tuning jobs")
        return jobs(answer, skip_unreadable=skip_unreadable)

    def create(
        self,
        model: str,
        base_model: str,
        training_data: str,
        *,
        validation_data: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """
        Start a job and return its id.

        Every call starts another job that is paid for, even with a model name that is taken.

        :param model: the name wished for: Cortex appends a suffix if it is taken.
        :param base_model: the model to tune.
        :param training_data: a query with the columns PROMPT and COMPLETION.
        :param validation_data: the same for validation; without it Cortex splits the training data.
        :param options: Cortex's own, such as ``{"max_epochs": 3}``.
        """
        call = sql.create(
            model, base_model, training_data, validation_data=validation_data, options=options
        )
        return self._sentence(call, about=f"create a fine-tuning job for model {model}").strip('"')

    def cancel(self, job_id: str) -> str:
        """Cancel the job and return Cortex's sentence about it."""
        return self._sentence(sql.cancel(job_id), about=f"cancel fine-tuning job {job_id}")

    def has_model(self, name: str) -> bool:
        """
        Return whether a tuned model is still there: False only if Snowflake lists its schema without it.

        :param name: as Cortex returned it.
        """
        try:
            *schema, model = self.place().full_name(name)
            call = sql.models(identifiers.sql(tuple(schema)), model.text)
            answer = self._ask(call, about=f"show model {name}")
        except (UnknownNamespaceError, RejectedError) as error:
            self.log.warning("Cannot tell whether model %s is still there: %s", name, error)
            return True
        column = [title.lower() for title in answer.columns].index("name")
        # Cortex may return the name in other letters than Snowflake keeps it.
        return any(str(row[column]).upper() == model.text.upper() for row in answer.rows)

    def columns(self, argument: str, query: str, *names: str) -> tuple[str, ...]:
        """
        Return the names of a query's columns: of these, or of all. The query is compiled, and not run.

        :param argument: what the query is called, should it be of no use.
        """
        call = sql.columns(argument, query, *names)
        return self._ask(call, about=f"compile {argument}").columns

    def complete(
        self,
        model: str,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model_parameters: Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        function: CompletionFunction = "AI_COMPLETE",
    ) -> Any:
        """
        Return the model's answer: text, or with *response_format* what the JSON text says.

        :param model: a tuned model by the name that Cortex gave it, or a base model.
        :param prompt: the question, or a conversation that ends in it.
        :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``.
        :param response_format: a JSON schema, as ``{"type": "json", "schema": {…}}``.
        :param function: ``COMPLETE`` for the function that Snowflake is retiring.
        :raises CompletionError: if the model gave no answer.
        """
        question = Question(
            model=model,
            prompt=prompt,
            model_parameters=model_parameters,
            response_format=response_format,
            function=function,
        )
        (completion,) = self.completions(question)
        return completion.answer

    def completions(self, question: Question) -> tuple[Completion, ...]:
        """
        Return what a model answers: to one prompt or conversation, or to each of several, in their order.

        :raises CompletionError: if the model gave no answer to one of them.
        """
        about = f"have model {question.model} answer"
        rows = self._ask(question.call, about=about).rows
        expected = len(question.prompt) if question.is_list else 1
        if len(rows) != expected or any(len(row) != 1 for row in rows):
            raise UnreadableAnswerError(f"which should be {expected} rows of one column", rows)
        return question.read([row[0] for row in rows])

    def submit(self, call: Call, *, about: str) -> str:
        """Start a statement, and return its query id at once: it runs on without this session."""
        with self._translated(about), self._open().cursor() as cursor:
            cursor.execute_async(call.sql, call.values)
            self._last_query_id = cursor.sfqid
            return str(cursor.sfqid)

    def execution(self, query_id: str) -> Execution:
        """Return how far a statement has come that was started with :meth:`submit`."""
        from snowflake.connector import Error

        def look(session: SnowflakeConnection) -> Execution:
            status = session.get_query_status(query_id)
            message = None
            if session.is_an_error(status):
                try:
                    session.get_query_status_throw_if_error(query_id)
                except Error as error:
                    message = error.msg
            return Execution(query_id=query_id, status=status.name, message=message)

        return self._in_session(look, about=f"look at query {query_id}")

    def cancel_query(self, query_id: str) -> str:
        """Cancel a statement that was started with :meth:`submit`, and return Snowflake's sentence about it."""
        return self._sentence(sql.cancel_query(query_id), about=f"cancel query {query_id}")

    def run_once(self, call: Call, *, about: str) -> None:
        """Run a statement whose answer tells nothing."""
        self._ask(call, about=about)

    def row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
        """Return the only row of an answer, which has *width* cells."""
        return self._row(call, width=width, about=about)

    def get_conn(self) -> SnowflakeConnection:
        """Open a session of the caller's own, as ``SnowflakeHook`` does."""
        connection: SnowflakeConnection = super().get_conn()
        return connection

    def close(self) -> None:
        """End the session, if one is open."""
        session, self._session = self._session, None
        if session is None:
            return
        from snowflake.connector import Error

        try:
            # Closing tells Snowflake; without retries, so that a dead network does not hold us.
            session.close(retry=False)
        except (Error, OSError) as error:
            self.log.debug("The Snowflake session did not close: %s", error)

    def _get_conn_params(self) -> dict[str, Any]:
        """Add what ``SnowflakeHook`` leaves out: the protocol, time limits and the query tag."""
        # It looks the connection up several times for a login, and some of its releases keep what they
        # found for good: here it is once for each login, which may come after a change of password.
        self.__dict__["get_connection"] = cache(type(self).get_connection)
        self.__dict__.pop("_get_static_conn_params", None)
        # Nor an OAuth token that Snowflake may have turned down: they keep it until it should expire.
        vars(getattr(self, "_oauth", self))["_oauth_token"] = None
        try:
            params: dict[str, Any] = super()._get_conn_params()
            extra = self.get_connection(self.get_conn_id()).extra_dejson
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError(self.get_conn_id()) from error
        except OSError as error:  # of requests, from an OAuth endpoint
            response = getattr(error, "response", None)
            if getattr(response, "status_code", None) in OAUTH_REFUSALS:
                raise self._refused("get an OAuth token", error) from error
            raise
        # Fields that do not go together, a bad key.
        except (AirflowException, ValueError, TypeError) as error:
            raise self._unusable(error) from error
        finally:
            del self.__dict__["get_connection"]
        if params.get("host") in LOOPBACK:
            self._hint = f" (It is port {params.get('port')} of this machine. {EMULATOR_HINT})"
        try:
            return params | self._limits(extra) | self._parameters(params)
        except ArgumentError as error:
            raise self._unusable(error) from error

    def _limits(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return the driver's time limits, in seconds, and whatever else of the extra it is to be given."""
        limits: dict[str, Any] = {"login_timeout": LOGIN_TIMEOUT}
        if self.network_timeout is not None:
            limits["login_timeout"] = min(LOGIN_TIMEOUT, self.network_timeout)
            limits["network_timeout"] = self.network_timeout
            # The other one is for trying again: it does not end a request that nobody answers.
            limits["socket_timeout"] = self.network_timeout
        limits |= {name: extra[name] for name in PASSED_ON if name in extra}
        # In a connection that is written as a URI they are text.
        return {
            name: json_number(number(name, limit))
            if name in TIMEOUTS and limit is not None
            else limit
            for name, limit in limits.items()
        }

    def _parameters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the session's parameters, with the query tag."""
        # In a connection that is written as a URI they are JSON text.
        parameters = mapping("session_parameters", params.get("session_parameters")) or {}
        if self.query_tag and not any(name.upper() == "QUERY_TAG" for name in parameters):
            parameters = {**parameters, "QUERY_TAG": self.query_tag}
        return {"session_parameters": dict(parameters)}

    def _cell(self, call: Call, *, about: str) -> object:
        """Return the only cell of the answer, and None for NULL."""
        (cell,) = self._row(call, width=1, about=about)
        return cell

    def _row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
        """Return the only row of the answer, which has *width* cells."""
        rows = self._ask(call, about=about).rows
        if len(rows) != 1 or len(rows[0]) != width:
            expected = "one column" if width == 1 else f"{width} columns"
            raise UnreadableAnswerError(f"which should be one row of {expected}", rows)
        return tuple(rows[0])

    def _ask(self, call: Call, *, about: str) -> Answer:
        """Return the answer."""
        return self._in_session(
            lambda session: self._answer(session, call), about=about, only_reads=call.only_reads
        )

    def _in_session(
        self, ask: Callable[[SnowflakeConnection], Told], *, about: str, only_reads: bool = True
    ) -> Told:
        """Return what *ask* returns, from a new session if Snowflake has ended the one there was."""
        from snowflake.connector import Error

        with self._translated(about):
            before = self._session
            session = self._open()
            try:
                return ask(session)
            except Error as error:
                # A token may be found too old in the middle of a session: a new login has a new one.
                is_finished = _trouble(error) in {ErrorKind.SESSION_OVER, ErrorKind.LOGIN}
                if session is not before or not only_reads or not is_finished:
                    raise
                self.log.info("Snowflake has ended the session: logging in again")
                self.close()
                return ask(self._open())

    def _open(self) -> SnowflakeConnection:
        """Return the session that is open, or log in."""
        if self._session is None or self._session.is_closed():
            self._session = None  # should the login fail
            self._session = self._log_in()
        return self._session

    def _log_in(self) -> SnowflakeConnection:
        """
        Open a session.

        Credentials that are turned down may just have been replaced: they are looked up once more.
        Only once: Snowflake locks a user out who fails some times in a row.
        """
        from snowflake.connector import Error

        try:
            return self._connect()
        except Error as error:
            if not self.logs_in_again or _trouble(error, logging_in=True) is not ErrorKind.LOGIN:
                raise
            self.log.warning(
                "Snowflake turned the login with connection %r down: once more, with what the"
                " connection says now",
                self.get_conn_id(),
            )
            return self._connect()

    def _connect(self) -> SnowflakeConnection:
        """
        Open a session for this package's own statements.

        They are in the pyformat style and each is whole, whatever ``snowflake.connector.paramstyle`` says in
        this process, and ``AUTOCOMMIT`` for this user.
        """
        from snowflake.connector import connect

        return connect(**self._get_conn_params(), paramstyle="pyformat", autocommit=True)

    def _answer(self, session: SnowflakeConnection, call: Call) -> Answer:
        """Return the answer, and have the statement measured."""
        began = time.monotonic()
        try:
            with session.cursor() as cursor:
                cursor.execute(call.sql, call.values)
                self._last_query_id = cursor.sfqid
                columns = tuple(column.name for column in cursor.description)
                return Answer(columns, cursor.fetchall())
        finally:
            metrics.statement(time.monotonic() - began, conn_id=self.get_conn_id())

    def _sentence(self, call: Call, *, about: str) -> str:
        cell = self._cell(call, about=about)
        if not isinstance(cell, str) or not cell.strip():
            raise UnreadableAnswerError(f"asked to {about}", cell)
        return cell.strip()

    @contextmanager
    def _translated(self, about: str) -> Iterator[None]:
        """Turn what the driver raises into this package's errors."""
        from snowflake.connector import Error

        try:
            yield
        except Error as error:
            if _trouble(error, logging_in=self._session is None) in {
                ErrorKind.LASTS,
                ErrorKind.LOGIN,
            }:
                raise self._refused(about, error) from error
            raise self._unreachable(about, error) from error
        except CortexError:
            raise
        # A secrets backend raises what it likes, and the driver what a proxy's answer makes it stumble over.
        except Exception as error:
            if may_pass(error):
                raise self._unreachable(about, error) from error
            raise self._faulty(about, error) from error

    def _unusable(self, error: Exception) -> RejectedError:
        return RejectedError(f"connection {self.get_conn_id()!r} is of no use: {error}")

    def _faulty(self, about: str, error: Exception) -> RejectedError:
        """Return what to raise for an error that is neither the network's nor Snowflake's."""
        kind = type(error).__name__
        return RejectedError(
            f"cannot {about} with connection {self.get_conn_id()!r}: {kind}: {excerpt(str(error))}. That is"
            " neither the network nor Snowflake: check the connection's fields and the task's arguments."
        )

    def _refused(self, about: str, error: Exception) -> RejectedError:
        where = f"with connection {self.get_conn_id()!r}"
        return RejectedError(f"cannot {about} {where}: {excerpt(str(error))}")

    def _unreachable(self, about: str, error: Exception) -> UnreachableError:
        from snowflake.connector import Error, ProgrammingError

        # The session may be what is wrong: the next call has a new one.
        self.close()
        metrics.transient_error(conn_id=self.get_conn_id())
        # Whoever refuses a statement is running.
        hint = "" if isinstance(error, ProgrammingError) else self._hint
        where = f"with connection {self.get_conn_id()!r}"
        said = str(error) if isinstance(error, Error | OSError) else repr(error)
        return UnreachableError(f"could not {about} {where} just now: {excerpt(said)}{hint}")


def _trouble(error: Error, *, logging_in: bool = False) -> ErrorKind:
    """Return what an error of the driver means."""
    from snowflake.connector import DatabaseError

    return classify(
        errno=error.errno,
        sqlstate=error.sqlstate,
        logging_in=logging_in,
        # The driver raises a plain DatabaseError when Snowflake turned the login down.
        turned_down=logging_in and type(error) is DatabaseError,
    )
