"""One emulated account: everything that an emulator forgets when it is reset."""

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_cortex.emulator import extract_function, model_statements, query_history
from airflow_provider_cortex.emulator.client_sessions import ClientSessions
from airflow_provider_cortex.emulator.complete_functions import UNTUNED_MODELS, CompleteFunctions
from airflow_provider_cortex.emulator.count_tokens_function import CountTokens
from airflow_provider_cortex.emulator.credentials import Credentials
from airflow_provider_cortex.emulator.extract_function import ExtractFunction
from airflow_provider_cortex.emulator.faults import Faults
from airflow_provider_cortex.emulator.finetune_function import FinetuneFunction
from airflow_provider_cortex.emulator.http_app import HttpApp
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.life import Clock, Life
from airflow_provider_cortex.emulator.name_resolution import Namespace
from airflow_provider_cortex.emulator.query_registry import QueryRegistry
from airflow_provider_cortex.emulator.sql_engine import SqlEngine


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """What an account starts with. The arguments of ``Emulator`` explain them."""

    life: Life
    query_life: Life
    clock: Clock
    password: str | None
    token: str | None
    access_token: str | None
    login_delay: float
    statement_delay: float
    base_models: frozenset[str]
    id_prefix: str
    reset: Callable[[], None] = field(repr=False)
    """Resets the emulator: a route calls it."""


class Account:
    """Jobs, models, queries, tables, sessions and faults, and the HTTP application over them."""

    def __init__(self, settings: AccountSettings) -> None:
        self.sessions = ClientSessions()
        self.faults = Faults(clock=settings.clock, end_sessions=self.sessions.end_all)

        def clock() -> float:
            return settings.clock() + self.faults.clock_error

        self.jobs = JobRegistry(clock=clock, life=settings.life, id_prefix=settings.id_prefix)
        self.queries = QueryRegistry(clock=clock, life=settings.query_life)
        self.history = query_history.QueryHistory(clock)
        known_models = UNTUNED_MODELS | settings.base_models
        complete = CompleteFunctions(self.jobs, clock, self.faults, known_models)
        finetune = FinetuneFunction(self.jobs, self.faults, settings.base_models)
        models = model_statements.ModelStatements(self.jobs)
        self.engine = SqlEngine(
            jobs=self.jobs,
            count_tokens=CountTokens(known_models),
            functions={
                "SNOWFLAKE.CORTEX.FINETUNE": finetune,
                "SNOWFLAKE.CORTEX.COMPLETE": complete.complete,
                "SNOWFLAKE.CORTEX.TRY_COMPLETE": complete.try_complete,
                "SNOWFLAKE.CORTEX.AI_COMPLETE": complete.ai_complete,
                "AI_COMPLETE": complete.ai_complete,
                "AI_SIMILARITY": complete.ai_similarity,
                query_history.NAME: self.history.by_user,
                model_statements.SHOW: models.show,
                model_statements.DROP: models.drop,
                "SYSTEM$CANCEL_QUERY": self._cancel_query,
                # Snowpark's Session calls it when it closes.
                "SYSTEM$CANCEL_ALL_QUERIES": lambda *_: "0 queries cancelled.",
            },
        )
        # It reads the files that the engine keeps.
        extract = ExtractFunction(self.jobs, self.faults, self.engine.files)
        self.engine.functions |= dict.fromkeys(extract_function.NAMES, extract)
        self.credentials = Credentials(
            password=settings.password,
            token=settings.token,
            access_token=settings.access_token,
        )
        self.app = HttpApp(
            engine=self.engine,
            jobs=self.jobs,
            queries=self.queries,
            history=self.history,
            faults=self.faults,
            credentials=self.credentials,
            sessions=self.sessions,
            reset=settings.reset,
        )
        self.app.login_delay = settings.login_delay
        self.app.statements.delay = settings.statement_delay

    def close(self) -> None:
        """End the sessions and release the database. A statement that is running still ends."""
        self.faults.clear()  # a request that hangs would hang forever
        self.sessions.end_all()
        self.engine.close()

    def _cancel_query(self, _namespace: Namespace, query_id: str) -> str:
        """https://docs.snowflake.com/en/sql-reference/functions/system_cancel_query."""
        if self.queries.cancel(query_id):
            return f"query [{query_id}] terminated."  # as documented
        # Guess cancel-ended-query: to cancel a query that is not running is no error. Users report
        # the text. If wrong: real clients see an error that tests do not show.
        return "Identified SQL statement is not currently executing."
