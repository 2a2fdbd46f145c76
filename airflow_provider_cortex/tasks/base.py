"""What every task of this package has in common: the Snowflake session that it runs in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowTaskTimeout,
    BaseOperator,
)

from airflow_provider_cortex.cortex import sql
from airflow_provider_cortex.cortex.arguments import as_float, is_number, mapping, one_cell
from airflow_provider_cortex.cortex.session_settings import SessionSettings, query_tag
from airflow_provider_cortex.errors import (
    AnswerTooLargeError,
    ArgumentError,
    CortexError,
    EmptyArgumentError,
    FineTuneExistsError,
    FineTuneFinishedError,
    RejectedError,
    excerpt,
)
from airflow_provider_cortex.tasks.links import QUERY_URL, job_url
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting.progress import Log

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cortex.hooks import CortexHook


JOB_ID = "finetune_job_id"
"""The XCom that tells which job a task has started, or waits for: the jobs page reads it."""

DEADLINE_MARGIN = 30.0
"""
How many seconds before ``execution_timeout`` a deferred wait ends, so that the task can still say so. Airflow 2.11
kills a task that resumes later than that without a word; 3.x never ends it at all.
"""

DEFERRAL_GRACE = timedelta(minutes=1)
"""How long after its deadline Airflow ends a deferral by itself, should there be no triggerer."""

TIME_IS_UP = frozenset({"Trigger timeout", "Trigger/execution timeout"})
"""Why Airflow gave a deferral up, if it did not crash: as Airflow 3 says it, and as Airflow 2 does."""

NOT_RETRIED = (
    AnswerTooLargeError,
    ArgumentError,
    FineTuneExistsError,
    FineTuneFinishedError,
    RejectedError,
)
"""What a retry would run into again."""


class CortexTask(BaseOperator):
    """
    A task that talks to Cortex over an ordinary Snowflake connection.

    :param snowflake_conn_id: the Airflow connection's id. (templated)
    :param warehouse: instead of the connection's. (templated)
    :param database: instead of the connection's. (templated)
    :param schema: instead of the connection's. (templated)
    :param role: instead of the connection's. (templated)
    :param authenticator: instead of the connection's. (templated)
    :param session_parameters: instead of the connection's, as a mapping or as JSON text; a ``QUERY_TAG`` among
        them replaces the one that names this package, the DAG and the task. (templated)
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
    sql_fields: Sequence[str] = ()
    """Which of them may be the path of a ``.sql`` file."""

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
        self._sources: dict[str, str] = {}
        self.query_url: str | None = None
        self._query_id: str | None = None
        self.job_url: str | None = None
        self.open_hook: CortexHook | None = None
        """The session that this task has open, for what must be done in a hurry."""

    def resolve_template_files(self) -> None:
        """Read the files that arguments name, of those arguments alone that may name one (*sql_fields*)."""
        fields, self.template_fields = self.template_fields, self.sql_fields
        try:
            super().resolve_template_files()
        finally:
            self.template_fields = fields

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *arguments: Any, **options: Any
    ) -> None:
        """
        Render as Airflow does, but take no other argument for a file because it ends with ``.sql``.

        Airflow's ``Templater`` has this for normal and for mapped tasks; it goes by ``template_ext``
        for all fields.
        """
        render, extensions = super()._do_render_template_fields, self.template_ext
        if parent is not self:  # an object within one of the fields
            render(parent, template_fields, *arguments, **options)
            return
        try:
            for field in template_fields:
                self.template_ext = extensions if field in self.sql_fields else ()
                render(parent, [field], *arguments, **options)
        finally:
            self.template_ext = extensions

    def cortex_session(self, context: Context | None = None) -> SessionSettings:
        """Return the settings of this task's Snowflake session, tagged with who asks."""
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
        # SnowflakeHook and what it brings take ten times as long to import as all of this package.
        from airflow_provider_cortex.hooks import CortexHook

        return CortexHook.of(self.cortex_session(context), network_timeout=network_timeout)

    @contextmanager
    def cortex(
        self, context: Context, *, network_timeout: int | None = None
    ) -> Iterator[CortexHook]:
        """Open this task's session, and raise what goes wrong in it as Airflow should take it."""
        with self.translated_errors():
            hook = self.open_hook = self.cortex_hook(context, network_timeout=network_timeout)
            try:
                yield hook
            finally:
                self.link_query(hook, context)
                self.leave(hook)

    def cancel_on_worker(
        self, subject: str, cancel: Callable[..., object], which: str, *, sql: str
    ) -> None:
        """
        Cancel a job or a statement of this task, which is killed, over the session that is open if one is.

        :param subject: what is cancelled, as a sentence begins with it.
        :param cancel: such as :func:`~airflow_provider_cortex.waiting.cancelling.cancel_job`.
        :param which: its id.
        :param sql: what cancels it by hand.
        """

        def work(log: Log) -> None:
            hook = self.open_hook
            if hook is not None and hook.is_open:
                cancel(which, hook, log=log)
                return
            with self.cortex_hook(network_timeout=cancelling.TIME) as hook:
                cancel(which, hook, log=log)

        cancelling.in_time(subject, work, sql=sql, log=self.log)

    def link_query(self, hook: CortexHook, context: Context) -> None:
        """Keep where Snowsight shows this task's statement, for the extra link. Nothing is raised."""
        try:
            self.query_url = hook.query_url(self._query_id)
        except Exception as error:  # noqa: BLE001 - an Airflow in trouble raises what it likes; it is only a link
            self.log.debug("No link to the query: %s", error)
        ti = context["ti"]
        if self.query_url and not hasattr(ti, "get_first_reschedule_date"):  # Airflow 2
            ti.xcom_push(key=QUERY_URL, value=self.query_url)

    def link_job(self, job_id: str) -> None:
        """Keep where the jobs page shows this task's job, for the extra link."""
        self.job_url = job_url(job_id, conn_id=self.snowflake_conn_id)

    def push_job_id(self, job_id: str, context: Context) -> None:
        """Tell the jobs page which job is this task's. Nothing is raised."""
        if not self.do_xcom_push:
            return
        try:
            context["ti"].xcom_push(key=JOB_ID, value=job_id)
        except Exception as error:  # noqa: BLE001 - an Airflow in trouble raises what it likes; it is only for people to see
            self.log.debug("The jobs page will not show this task: %s", error)

    def leave(self, hook: CortexHook) -> None:
        """
        Close this task's session: the last thing that the task does.

        What it has found out or done stands, even if ``execution_timeout`` passes just now.
        """
        try:
            hook.close()
        except AirflowTaskTimeout:
            self.log.warning("Did not wait for the Snowflake session to close: the time is up")

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise this package's errors as what they mean to Airflow."""
        try:
            yield
        except CortexError as error:
            verdict = self.verdict(error)
            if verdict is error:
                raise
            raise verdict from error

    def required(self, argument: str) -> str:
        """
        Return the text of an argument, once it is rendered.

        :raises EmptyArgumentError: if it says nothing: a template that finds nothing renders to the word
            None, and an XCom that was never pushed to None itself.
        """
        return self._text(argument, getattr(self, argument))

    def required_cell(self, argument: str) -> str:
        """
        Return the same of an argument that may be a query's result: one row of one cell.

        :raises ArgumentError: if the result has more rows or cells than one, or none.
        """
        return self._text(
            argument, one_cell(argument, getattr(self, argument), self._sources.get(argument))
        )

    def _text(self, argument: str, value: object) -> str:
        value = str(value) if is_number(value) else value
        if not isinstance(value, str) or value.strip() in {"", "None"}:
            raise EmptyArgumentError(argument, value, self._sources.get(argument))
        return sql.text(argument, value)

    def remember_template(self, argument: str) -> None:
        """Keep how an argument stands in the DAG file: rendered to nothing, it no longer tells."""
        self._sources[argument] = str(getattr(self, argument))

    def is_set(self, argument: str) -> bool:
        """Return whether the DAG file sets an argument whose source is remembered, whatever it rendered to."""
        return argument in self._sources

    def verdict(self, error: CortexError) -> BaseException:
        """Return what *error* means to Airflow: whether a retry can help is decided here."""
        if isinstance(error, NOT_RETRIED):
            return AirflowFailException(str(error))
        return error


def is_known(value: object) -> bool:
    """Return whether an argument says already in the DAG file what it is: neither a template nor an XCom."""
    return (
        isinstance(value, bool) or is_number(value) or (isinstance(value, str) and "{" not in value)
    )


def one_of(argument: str, value: object, known: Sequence[str]) -> str:
    """
    Return a word that is one of those that an argument may be.

    :raises ArgumentError: if it is none of them.
    """
    if isinstance(value, str) and value in known:
        return value
    raise ArgumentError(
        argument, value, f"must be one of {', '.join(known)}, not {excerpt(repr(value))}"
    )


def seconds(argument: str, value: float | timedelta, *, least: float | None = None) -> float:
    """
    Return a duration in seconds.

    :param least: the shortest that is allowed; by default it must be more than 0.
    :raises ValueError: if it is no real number, NaN, infinite or too short.
    """
    if isinstance(value, timedelta):
        number = value.total_seconds()
    else:
        number = as_float(value) if is_number(value) else math.nan
    if not number < math.inf or not (number > 0 if least is None else number >= least):
        bound = "more than 0" if least is None else f"at least {least:g}"
        raise ValueError(f"{argument} must be seconds, {bound}, or a timedelta; got {value!r}")
    return number


@contextmanager
def as_value_error() -> Iterator[None]:
    """Raise what is wrong with an argument as Airflow expects it when a DAG file is parsed."""
    try:
        yield
    except ArgumentError as error:
        raise ValueError(str(error)) from error
