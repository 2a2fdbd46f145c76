"""The emulator as its users see it: an emulated account, and the server that drivers use."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from airflow_provider_cortex.emulator import model_statements
from airflow_provider_cortex.emulator.client_sessions import ClientSessions
from airflow_provider_cortex.emulator.complete_functions import UNTUNED_MODELS, CompleteFunctions
from airflow_provider_cortex.emulator.credentials import Credentials
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.finetune_function import BASE_MODELS, FinetuneFunction
from airflow_provider_cortex.emulator.http_app import HttpApp
from airflow_provider_cortex.emulator.http_server import HttpServer
from airflow_provider_cortex.emulator.jobs_and_models import ID_PREFIX, JobRegistry
from airflow_provider_cortex.emulator.life import Clock, Life
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.query_registry import QueryRegistry
from airflow_provider_cortex.emulator.sql_engine import SqlEngine
from airflow_provider_cortex.emulator.tls import Certificates
from airflow_provider_cortex.emulator.traffic import Statement

_LOGIN = {"account": "emulator", "user": "emulator"}
_ANY_PASSWORD = "emulator"  # noqa: S105 - for an emulator that accepts any
_SESSION = {"database": "CORTEX_DB", "schema": "PUBLIC", "warehouse": "CORTEX_WH"}


class Emulator:
    """
    Snowflake Cortex on this machine.

    Use it as a context manager, or call :meth:`start` and finally :meth:`close`.

    :param port: 0 for any free port.
    :param life: how long jobs take; by default they finish at the first poll.
    :param query_life: the same for asynchronous queries.
    :param clock: returns the time in epoch seconds.
    :param tls: the directory of the certificates, for HTTPS; they are created if necessary.
    :param password: see :attr:`password`; the same for *token* and the delays.
    :param base_models: the models that CREATE accepts.
    :param id_prefix: how the ids of jobs begin.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        life: Life | None = None,
        query_life: Life | None = None,
        clock: Clock = time.time,
        tls: Path | None = None,
        password: str | None = None,
        token: str | None = None,
        login_delay: float = 0.0,
        statement_delay: float = 0.0,
        base_models: frozenset[str] = BASE_MODELS,
        id_prefix: str = ID_PREFIX,
    ) -> None:
        self._sessions = ClientSessions()
        self.faults = Faults(clock=clock, end_sessions=self._sessions.end_all)
        """What goes wrong; see :meth:`Faults.add`."""

        def account_clock() -> float:
            return clock() + self.faults.clock_error

        self.jobs = JobRegistry(
            clock=account_clock, life=life or Life.at_once(), id_prefix=id_prefix
        )
        self.queries = QueryRegistry(clock=account_clock, life=query_life or Life.at_once())
        """The asynchronous queries."""
        self.certificates = Certificates.kept_in(tls, host=host) if tls else None
        complete = CompleteFunctions(
            self.jobs, account_clock, self.faults, UNTUNED_MODELS | base_models
        )
        models = model_statements.ModelStatements(self.jobs)
        self._engine = SqlEngine(
            jobs=self.jobs,
            functions={
                "SNOWFLAKE.CORTEX.FINETUNE": FinetuneFunction(self.jobs, self.faults, base_models),
                "SNOWFLAKE.CORTEX.COMPLETE": complete.complete,
                "SNOWFLAKE.CORTEX.TRY_COMPLETE": complete.try_complete,
                "SNOWFLAKE.CORTEX.AI_COMPLETE": complete.ai_complete,
                "AI_COMPLETE": complete.ai_complete,
                model_statements.SHOW: models.show,
                model_statements.DROP: models.drop,
                "SYSTEM$CANCEL_QUERY": self._cancel_query,
                # Snowpark's Session calls it when it closes.
                "SYSTEM$CANCEL_ALL_QUERIES": lambda *_: "0 queries cancelled.",
            },
        )
        self._credentials = Credentials(password=password, token=token)
        self._app = HttpApp(
            engine=self._engine,
            jobs=self.jobs,
            queries=self.queries,
            faults=self.faults,
            credentials=self._credentials,
            sessions=self._sessions,
        )
        self._server = HttpServer(self._app, host=host, port=port, certificates=self.certificates)
        self.login_delay = login_delay
        self.statement_delay = statement_delay

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Listen for clients; after :meth:`stop`, on the same port as before."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening. Data, jobs and sessions stay, and so does the port."""
        self._server.stop()

    def close(self) -> None:
        """Stop, and release everything. The emulator cannot be started again."""
        self._server.close()
        self._sessions.close()
        self._engine.close()

    @property
    def host(self) -> str:
        return self._server.host

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def protocol(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.certificates else "http"

    @property
    def connect_arguments(self) -> dict[str, str | int]:
        """Arguments for ``snowflake.connector.connect``."""
        address: dict[str, str | int] = {
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            # Otherwise the driver asks the clouds' metadata services at every login.
            "platform_detection_timeout_seconds": 0,
        }
        return address | _LOGIN | {"password": self.password or _ANY_PASSWORD} | _SESSION

    @property
    def airflow_connection(self) -> str:
        """A value for ``AIRFLOW_CONN_SNOWFLAKE_DEFAULT``."""
        return json.dumps(
            {
                "conn_type": "snowflake",
                "login": _LOGIN["user"],
                "password": self.password or _ANY_PASSWORD,
                "schema": _SESSION["schema"],
                "extra": {
                    "account": _LOGIN["account"],
                    "host": self.host,
                    "port": self.port,
                    "protocol": self.protocol,
                    "database": _SESSION["database"],
                    "warehouse": _SESSION["warehouse"],
                },
            }
        )

    @property
    def statements(self) -> list[Statement]:
        """All statements so far, failed ones included."""
        return list(self._app.statements.received)

    @property
    def logins(self) -> int:
        """The number of accepted logins so far."""
        return self._app.counts.logins

    @property
    def refused_logins(self) -> int:
        """The number of rejected logins so far."""
        return self._app.counts.refused_logins

    @property
    def open_sessions(self) -> int:
        """The number of sessions that their client has not closed and that have not ended."""
        return len(self._sessions)

    @property
    def life(self) -> Life:
        """How long the jobs take that are created from now on."""
        return self.jobs.life

    @life.setter
    def life(self, life: Life) -> None:
        self.jobs.life = life

    @property
    def query_life(self) -> Life:
        """How long the asynchronous queries take that are submitted from now on."""
        return self.queries.life

    @query_life.setter
    def query_life(self, life: Life) -> None:
        self.queries.life = life

    @property
    def has_cortex_user_role(self) -> bool:
        """Whether sessions may use Cortex. Without the role, its functions are unknown."""
        return self._engine.has_cortex_user_role

    @has_cortex_user_role.setter
    def has_cortex_user_role(self, has: bool) -> None:
        self._engine.has_cortex_user_role = has

    @property
    def calls_per_statement(self) -> int | None:
        """The largest number of calls of Cortex functions in a statement; None for any."""
        return self._engine.calls_per_statement

    @calls_per_statement.setter
    def calls_per_statement(self, limit: int | None) -> None:
        self._engine.calls_per_statement = limit

    @property
    def login_delay(self) -> float:
        """For how many seconds a login waits before it is served."""
        return self._app.login_delay

    @login_delay.setter
    def login_delay(self, seconds: float) -> None:
        self._app.login_delay = seconds

    @property
    def statement_delay(self) -> float:
        """For how many seconds a statement waits before it is executed."""
        return self._app.statements.delay

    @statement_delay.setter
    def statement_delay(self, seconds: float) -> None:
        self._app.statements.delay = seconds

    @property
    def password(self) -> str | None:
        """The only password that logins may have; None for any."""
        return self._credentials.password

    @password.setter
    def password(self, password: str | None) -> None:
        self._credentials.password = password

    @property
    def token(self) -> str | None:
        """The only OAuth token that logins may have; None for any. Earlier ones have expired."""
        return self._credentials.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._credentials.token = token

    def _cancel_query(self, _namespace: Namespace, query_id: str) -> str:
        """https://docs.snowflake.com/en/sql-reference/functions/system_cancel_query."""
        if self.queries.cancel(query_id):
            return f"query [{query_id}] terminated."  # as documented
        # Guess cancel-ended-query: to cancel a query that is not running is no error. Users report
        # the text. If wrong: real clients see an error that tests do not show.
        return "Identified SQL statement is not currently executing."
