"""The emulator as its users see it: an emulated account, and the server that drivers use."""

import json
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope, Send

from airflow_provider_cortex.emulator.account import Account, AccountSettings
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.finetune_function import BASE_MODELS
from airflow_provider_cortex.emulator.http_guard import LOCAL_HOSTS, HttpGuard
from airflow_provider_cortex.emulator.http_server import HttpServer
from airflow_provider_cortex.emulator.jobs_and_models import ID_PREFIX, JobRegistry
from airflow_provider_cortex.emulator.life import Clock, Life
from airflow_provider_cortex.emulator.query_registry import QueryRegistry
from airflow_provider_cortex.emulator.tls import TRUST_VARIABLES, Certificates
from airflow_provider_cortex.emulator.traffic import Statement

_LOGIN = {"account": "emulator", "user": "emulator"}
_ANY_PASSWORD = "emulator"  # noqa: S105 - for an emulator that accepts any
_SESSION = {"database": "CORTEX_DB", "schema": "PUBLIC", "warehouse": "CORTEX_WH"}


class Emulator:
    """
    Snowflake Cortex on this machine.

    Use it as a context manager, or call :meth:`start` and finally :meth:`close`. Clients need the
    variables of :attr:`environment`.

    :param host: the address to listen on.
    :param port: 0 for any free port.
    :param allow_hosts: more names by which clients may call the emulator, such as a container's;
        for HTTPS, its certificate has them, too. Requests with other names are refused.
    :param life: how long jobs take; by default they finish at the first poll.
    :param query_life: the same for asynchronous queries.
    :param clock: returns the time in epoch seconds.
    :param tls: True for HTTPS, with certificates that all emulators of this process share; a
        directory for HTTPS with certificates that are kept there, and created if necessary; False
        for plain HTTP, which Airflow's own Snowflake tasks do not speak.
    :param password: see :attr:`password`; the same for *token*, *access_token* and the delays.
    :param base_models: the models that CREATE accepts.
    :param id_prefix: how the ids of jobs begin.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_hosts: Collection[str] = (),
        life: Life | None = None,
        query_life: Life | None = None,
        clock: Clock = time.time,
        tls: bool | Path = True,
        password: str | None = None,
        token: str | None = None,
        access_token: str | None = None,
        login_delay: float = 0.0,
        statement_delay: float = 0.0,
        base_models: frozenset[str] = BASE_MODELS,
        id_prefix: str = ID_PREFIX,
    ) -> None:
        self.certificates = _certificates(tls, {host, *allow_hosts})
        """The certificates for HTTPS; None for plain HTTP."""
        self._settings = AccountSettings(
            life=life or Life.at_once(),
            query_life=query_life or Life.at_once(),
            clock=clock,
            password=password,
            token=token,
            access_token=access_token,
            login_delay=login_delay,
            statement_delay=statement_delay,
            base_models=base_models,
            id_prefix=id_prefix,
            reset=self.reset,
        )
        self._account = Account(self._settings)
        self._server = HttpServer(
            HttpGuard(self._serve, hosts={host, *LOCAL_HOSTS, *allow_hosts}),
            host=host,
            port=port,
            certificates=self.certificates,
        )

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

    def reset(self) -> None:
        """
        Forget everything, and begin anew with the arguments of the constructor.

        Jobs, models, tables, queries, sessions, faults, counts, and what was changed in this object,
        such as :attr:`life`. The port and the certificates stay. :attr:`jobs`, :attr:`queries` and
        :attr:`faults` are new objects.
        """
        former, self._account = self._account, Account(self._settings)
        former.close()

    def close(self) -> None:
        """Stop, and release everything. The emulator cannot be started again."""
        self._server.close()
        self._account.close()

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    @property
    def protocol(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.certificates else "http"

    @property
    def url(self) -> str:
        """The address with protocol and port."""
        return f"{self.protocol}://{self.host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """
        The environment variables that clients need: Airflow's default connection, and for HTTPS
        the authorities to trust, which are those that this process trusted before and one more.
        """
        variables = {
            "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": self.airflow_connection,
            # As in connect_arguments.
            "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
        }
        if self.certificates:
            variables |= dict.fromkeys(TRUST_VARIABLES, str(self.certificates.authorities))
        return variables

    @property
    def connect_arguments(self) -> dict[str, str | int]:
        """
        Arguments for ``snowflake.connector.connect``; for HTTPS, in a process with
        :attr:`environment`.
        """
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
        """A value for ``AIRFLOW_CONN_SNOWFLAKE_DEFAULT``, or for another connection."""
        extra = {
            "account": _LOGIN["account"],
            "host": self.host,
            "port": self.port,
            "database": _SESSION["database"],
            "warehouse": _SESSION["warehouse"],
        }
        if not self.certificates:
            extra["protocol"] = self.protocol
        return json.dumps(
            {
                "conn_type": "snowflake",
                "login": _LOGIN["user"],
                "password": self.password or _ANY_PASSWORD,
                "schema": _SESSION["schema"],
                "extra": extra,
            }
        )

    @property
    def jobs(self) -> JobRegistry:
        """The fine-tuning jobs, and the tuned models."""
        return self._account.jobs

    @property
    def queries(self) -> QueryRegistry:
        """The asynchronous queries."""
        return self._account.queries

    @property
    def faults(self) -> Faults:
        """What goes wrong; see :meth:`Faults.add`."""
        return self._account.faults

    @property
    def statements(self) -> list[Statement]:
        """All statements so far, failed ones included."""
        return list(self._account.app.statements.received)

    @property
    def logins(self) -> int:
        """The number of accepted logins so far."""
        return self._account.app.counts.logins

    @property
    def refused_logins(self) -> int:
        """The number of rejected logins so far."""
        return self._account.app.counts.refused_logins

    @property
    def open_sessions(self) -> int:
        """The number of sessions that their client has not closed and that have not ended."""
        return len(self._account.sessions)

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
        return self._account.engine.has_cortex_user_role

    @has_cortex_user_role.setter
    def has_cortex_user_role(self, has: bool) -> None:
        self._account.engine.has_cortex_user_role = has

    @property
    def calls_per_statement(self) -> int | None:
        """The largest number of calls of Cortex functions in a statement; None for any."""
        return self._account.engine.calls_per_statement

    @calls_per_statement.setter
    def calls_per_statement(self, limit: int | None) -> None:
        self._account.engine.calls_per_statement = limit

    @property
    def login_delay(self) -> float:
        """For how many seconds a login waits before it is served."""
        return self._account.app.login_delay

    @login_delay.setter
    def login_delay(self, seconds: float) -> None:
        self._account.app.login_delay = seconds

    @property
    def statement_delay(self) -> float:
        """For how many seconds a statement waits before it is executed."""
        return self._account.app.statements.delay

    @statement_delay.setter
    def statement_delay(self, seconds: float) -> None:
        self._account.app.statements.delay = seconds

    @property
    def password(self) -> str | None:
        """The only password that logins may have; None for any."""
        return self._account.credentials.password

    @password.setter
    def password(self, password: str | None) -> None:
        self._account.credentials.password = password

    @property
    def token(self) -> str | None:
        """The only OAuth token that logins may have; None for any. Earlier ones have expired."""
        return self._account.credentials.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._account.credentials.token = token

    @property
    def access_token(self) -> str | None:
        """
        The only programmatic access token that logins may have; None for any.

        It is also accepted in place of the password.
        """
        return self._account.credentials.access_token

    @access_token.setter
    def access_token(self, token: str | None) -> None:
        self._account.credentials.access_token = token

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._account.app(scope, receive, send)


def _certificates(tls: bool | Path, hosts: Collection[str]) -> Certificates | None:
    match tls:
        case Path():
            return Certificates.kept_in(tls, hosts=hosts)
        case True:
            return Certificates.of_this_process(hosts=hosts)
        case _:
            return None
