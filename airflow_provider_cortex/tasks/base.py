"""
What all tasks of this package share: a Snowflake session, arguments, and errors as Airflow takes
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.cortex.rendered_values import is_number, mapping, one_cell, text
from airflow_provider_cortex.errors import (
    AnswerTooLargeError,
    ArgumentError,
    CortexError,
    EmptyArgumentError,
    FineTuneExistsError,
    FineTuneFinishedError,
    GateError,
    RejectedError,
    TaskKilledError,
)
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.init_checks import as_value_error, is_literal
from airflow_provider_cortex.tasks.links import QUERY_URL, job_url

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.namespace import Namespace
    from airflow_provider_cortex.cortex.session_settings import SessionSettings
    from airflow_provider_cortex.hooks import CortexHook

    Number = float | Decimal | str | XComArg | None

NumberReader = Callable[[str, object], float]
"""Returns the number in an argument, which is given by its name and its value."""

JOB_ID = "finetune_job_id"
"""The XCom with the job that a task has started, or waits for: the jobs page reads it."""

NOT_RETRIED = (
    AnswerTooLargeError,
    ArgumentError,
    FineTuneExistsError,
    FineTuneFinishedError,
    GateError,
    RejectedError,
)
"""Errors that a retry would meet again."""


MODEL = "model"
"""The XCom with the model that an alias stands for, or that a task has promoted."""


class CortexTask(compat.SqlFileTemplates):
    """
    A task that talks to Cortex over an ordinary Snowflake connection.

    :param snowflake_conn_id: the Airflow connection's id. (templated)
    :param warehouse: instead of the connection's. (templated)
    :param database: instead of the connection's. (templated)
    :param schema: instead of the connection's. (templated)
    :param role: instead of the connection's. (templated)
    :param authenticator: instead of the connection's. (templated)
    :param session_parameters: instead of the connection's, as a mapping or as JSON text. A
        ``QUERY_TAG`` replaces the one that names this package, the DAG and the task. (templated)
    """

    template_fields: Sequence[str] = (
        "snowflake_conn_id",
        "warehouse",
        "database",
        "schema",
        "role",
        "authenticator",
        "session_parameters",
    )

    numbers: Mapping[str, NumberReader] = {}
    """The arguments that are numbers, such as limits, and what reads each of them."""
    report_kind: str | None = None
    """What its report is called in the asset events of later tasks; None if it has none."""
    report_xcom = ""
    """The XCom with that report."""

    def __init__(
        self,
        *,
        snowflake_conn_id: str = "snowflake_default",
        warehouse: str | None = None,
        database: str | None = None,
        schema: str | None = None,
        role: str | None = None,
        authenticator: str | None = None,
        session_parameters: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id
        self.warehouse = warehouse
        self.database = database
        self.schema = schema
        self.role = role
        self.authenticator = authenticator
        self.session_parameters = session_parameters
        self.linked_query_id: str | None = None
        """The query that the extra link shows; None: the last one of the session."""
        self.query_url: str | None = None
        self.job_url: str | None = None
        self.open_hook: CortexHook | None = None
        """The task's session: a killed task cancels over it."""
        self._templates: dict[str, str] = {}
        self.is_killed = False
        """Whether Airflow has ended this task, and is about to end its process."""

    # --- The session -----------------------------------------------------------------------------

    def session_settings(self, context: Context | None = None) -> SessionSettings:
        """Return the settings of this task's Snowflake session, with a query tag."""
        from airflow_provider_cortex.cortex.session_settings import SessionSettings, query_tag

        ti = context["ti"] if context else None
        return SessionSettings(
            snowflake_conn_id=self.snowflake_conn_id,
            warehouse=self.warehouse,
            database=self.database,
            schema=self.schema,
            role=self.role,
            authenticator=self.authenticator,
            session_parameters=mapping("session_parameters", self.session_parameters),
            query_tag=query_tag(
                dag_id=self.dag_id, task_id=self.task_id, run_id=ti.run_id if ti else None
            ),
        )

    def cortex_hook(
        self, context: Context | None = None, *, network_timeout: int | None = None
    ) -> CortexHook:
        """Return a hook for this task's session."""
        # SnowflakeHook takes ten times as long to import as all of this package.
        from airflow_provider_cortex.hooks import CortexHook

        return CortexHook.of(self.session_settings(context), network_timeout=network_timeout)

    def namespace(self) -> Namespace:
        """Return what completes names in this task's session, without opening it."""
        from airflow_provider_cortex.airflow_api.connection_namespace import connection_namespace

        settings = self.session_settings()
        return connection_namespace(
            settings.snowflake_conn_id, database=settings.database, schema=settings.schema
        )

    @contextmanager
    def cortex(
        self, context: Context, *, network_timeout: int | None = None
    ) -> Iterator[CortexHook]:
        """Provide this task's session, with its errors as Airflow takes them."""
        with self.translated_errors():
            hook = self.open_hook = self.cortex_hook(context, network_timeout=network_timeout)
            try:
                yield hook
            finally:
                self._link_query(hook, context)
                self.close_hook(hook)

    def close_hook(self, hook: CortexHook) -> None:
        """
        Close the session: the last step of a task.

        The task's result counts even if ``execution_timeout`` passes meanwhile.
        """
        try:
            hook.close()
        except AirflowTaskTimeout:
            self.log.warning(
                "execution_timeout has passed: not waiting until the Snowflake session is closed"
            )

    # --- Killing ---------------------------------------------------------------------------------

    def on_kill(self) -> None:
        """Have this task start nothing more: Airflow 3 lets its code run on until SIGKILL."""
        self.is_killed = True

    def check_not_killed(self) -> None:
        """
        Return if the task may start what is paid for.

        :raises TaskKilledError: if the task was killed.
        """
        if self.is_killed:
            raise TaskKilledError

    # --- Errors ----------------------------------------------------------------------------------

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise this package's errors as Airflow takes them."""
        try:
            yield
        except CortexError as error:
            exception = self.to_airflow_exception(error)
            if exception is error:
                raise
            raise exception from error

    def to_airflow_exception(self, error: CortexError) -> BaseException:
        """Return what Airflow should see: it decides whether the task is retried."""
        if isinstance(error, NOT_RETRIED):
            return AirflowFailException(str(error))
        return error

    # --- Arguments, once they are rendered ---------------------------------------------------------

    def required(self, argument: str) -> str:
        """
        Return an argument as text.

        :raises EmptyArgumentError: if it is empty. A template that finds nothing renders to the
            word None, and an XCom that was never pushed to None itself.
        """
        return self._text(argument, getattr(self, argument))

    def required_cell(self, argument: str) -> str:
        """
        Return an argument as text that may be a query's result: one row of one cell.

        :raises ArgumentError: if the result has another number of rows or cells.
        """
        value = one_cell(argument, getattr(self, argument), self._templates.get(argument))
        return self._text(argument, value)

    def _text(self, argument: str, value: object) -> str:
        value = str(value) if is_number(value) else value
        if not isinstance(value, str) or value.strip() in {"", "None"}:
            raise EmptyArgumentError(argument, value, self._templates.get(argument))
        return text(argument, value)

    def remember_template(self, argument: str) -> None:
        """
        Keep how the DAG file writes an argument: an error names it when it renders to nothing.
        """
        self._templates[argument] = str(getattr(self, argument))

    def is_set(self, argument: str) -> bool:
        """Return whether the DAG file sets an argument whose template is remembered."""
        return argument in self._templates

    # --- Arguments that are numbers ----------------------------------------------------------------

    def set_numbers(self, **given: Number) -> None:
        """
        Keep the arguments that are numbers. One that is neither a template nor an XCom is checked.

        :raises ValueError: if one is invalid.
        """
        for name, value in given.items():
            setattr(self, name, value)
            if value is None:
                continue
            self.remember_template(name)
            if is_literal(value):
                with as_value_error():
                    self.numbers[name](name, value)

    def read_numbers(self) -> dict[str, Any]:
        """
        Return all numbers once they are rendered: None for those that the DAG file does not set.

        :raises ArgumentError: if one is invalid, for instance because it rendered to nothing.
        """
        return {
            name: read(name, getattr(self, name)) if self.is_set(name) else None
            for name, read in self.numbers.items()
        }

    # --- Links -----------------------------------------------------------------------------------

    def link_job(self, job_id: str) -> None:
        """Set the extra link to a job on the jobs page."""
        self.job_url = job_url(job_id, conn_id=self.snowflake_conn_id)

    def push_job_id(self, job_id: str, context: Context) -> None:
        """Push the XCom by which the jobs page finds this task. Nothing is raised."""
        if not self.do_xcom_push:
            return
        try:
            context["ti"].xcom_push(key=JOB_ID, value=job_id)
        except Exception as error:  # noqa: BLE001 - Airflow may raise anything; it is only for display
            self.log.debug("The jobs page will not show this task: %s", error)

    def own_xcom(self, key: str, context: Context) -> object:
        """Return what this task instance pushed before it was deferred; None if nothing."""
        ti = context["ti"]
        return ti.xcom_pull(task_ids=self.task_id, key=key, map_indexes=ti.map_index)

    def _link_query(self, hook: CortexHook, context: Context) -> None:
        """Set the extra link to this task's query in Snowsight. Nothing is raised."""
        try:
            self.query_url = hook.query_url(self.linked_query_id)
        except Exception as error:  # noqa: BLE001 - Airflow may raise anything; it is only a link
            self.log.debug("No link to the query: %s", error)
        if self.query_url and not compat.IS_AIRFLOW_3:
            context["ti"].xcom_push(key=QUERY_URL, value=self.query_url)


class AskingTask(CortexTask):
    """A task that asks a model, which it names by itself or by its alias."""

    model: str | XComArg | None
    alias: str | XComArg | None
    deferrable: bool = False
    """Whether the task may be resumed in another process, which needs the model, too."""

    def set_model(self, model: str | XComArg | None, alias: str | XComArg | None) -> None:
        """
        Keep the two arguments.

        :raises ValueError: if not exactly one is given.
        """
        if (model is None) == (alias is None):
            raise ValueError("give either model or alias, and not both")
        self.model, self.alias = model, alias
        self.remember_template("model" if alias is None else "alias")

    @property
    def has_alias(self) -> bool:
        """Whether the DAG file gives an alias. Once rendered, either may be None."""
        return self.is_set("alias")

    def asked(self) -> str:
        """Return the model, or its alias, as text."""
        return self.required_cell("alias" if self.has_alias else "model")

    def find_model(self, hook: CortexHook, context: Context) -> str:
        """
        Return the model to ask; that of an alias is also pushed as an XCom.

        :raises ArgumentError: if there is no such alias.
        """
        from airflow_provider_cortex.cortex import model_alias

        asked = self.asked()
        if not self.has_alias:
            return asked
        alias = hook.alias(asked)
        if alias is None:
            raise model_alias.missing(asked)
        self.log.info("%s stands for model %s", for_log(asked), for_log(alias.model))
        if self.do_xcom_push or self.deferrable:
            context["ti"].xcom_push(key=MODEL, value=alias.model)
        return alias.model

    def found_model(self, context: Context) -> str:
        """Return the model that this task asked before it was deferred."""
        if not self.has_alias:
            return self.asked()
        return self._text(MODEL, self.own_xcom(MODEL, context))
