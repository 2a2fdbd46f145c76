"""
Call Snowflake Cortex over an ordinary Snowflake connection: synchronous, one method per call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_cortex.airflow_api.connection_namespace import connection_namespace
from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.airflow_api.snowflake_session import SnowflakeSession
from airflow_provider_cortex.cortex import dataset as datasets
from airflow_provider_cortex.cortex import (
    extraction,
    identifiers,
    model_alias,
    model_versions,
    sql,
    statement_history,
)
from airflow_provider_cortex.cortex import response_format as questions
from airflow_provider_cortex.cortex.completion import Completion, Question
from airflow_provider_cortex.cortex.completion_function_names import CompletionFunction
from airflow_provider_cortex.cortex.extraction import Extraction, Extractor
from airflow_provider_cortex.cortex.finetune import FineTuneJobs
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.model_alias import ModelAlias
from airflow_provider_cortex.cortex.model_versions import ModelVersion
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.cortex.query_status import UNKNOWN, Execution
from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.cortex.statement_history import PastStatement
from airflow_provider_cortex.errors import (
    RejectedError,
    UnknownNamespaceError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class CortexHook(SnowflakeSession):
    """
    Fine-tuning jobs, completions and extractions, in one Snowflake session that is kept until
    :meth:`close`.

    It takes ordinary ``snowflake`` connections and everything that
    :class:`~airflow.providers.snowflake.hooks.snowflake.SnowflakeHook` does with them. A session
    that Snowflake has ended is replaced. Not for several threads at once.

    Every call raises :class:`~airflow_provider_cortex.errors.RejectedError` for a permanent
    error, :class:`~airflow_provider_cortex.errors.UnreachableError` for a transient one,
    :class:`~airflow_provider_cortex.errors.UnreadableAnswerError` for an answer in an unknown
    shape, and :class:`~airflow_provider_cortex.errors.ConnectionNotFoundError` without a
    connection.

    :param snowflake_conn_id: the Airflow connection's id.
    :param query_tag: Snowflake's ``QUERY_TAG`` for the session, unless the session parameters
        have one.
    :param network_timeout: seconds for which the driver tries a statement, and at most a login,
        unless the connection says otherwise. None: a statement may take as long as it needs, and
        a login a minute.
    :param logs_in_again: whether a rejected login is tried once more, with the connection as it
        is then.
    :param kwargs: as of ``SnowflakeHook``: warehouse, database, schema, role, authenticator,
        session_parameters …
    """

    @classmethod
    def of(
        cls,
        settings: SessionSettings,
        *,
        network_timeout: int | None = None,
        logs_in_again: bool = True,
    ) -> Self:
        """Return a hook for a session with these settings."""
        return cls(
            **settings.to_dict(), network_timeout=network_timeout, logs_in_again=logs_in_again
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

    # --- Fine-tuning jobs ------------------------------------------------------------------------

    def jobs(self) -> FineTuneJobs:
        """Return the account's fine-tuning jobs, to create, list, describe and cancel them."""
        return self._jobs

    @cached_property
    def _jobs(self) -> FineTuneJobs:
        return FineTuneJobs(self, batch_size=batch_size())

    def describe(self, job_id: str) -> FineTuneJob:
        """Return a job as Cortex describes it."""
        return self.jobs().get(job_id)

    def show(self, *, skip_unreadable: bool = False) -> tuple[FineTuneJob, ...]:
        """
        Return the account's jobs, each with its id, status, base model and creation time.

        :param skip_unreadable: leave out entries that are no jobs, instead of raising.
        """
        return self.jobs().list_all(skip_unreadable=skip_unreadable)

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
        Start a job and return its id. Every call starts, and bills, another one.

        :param model: the name for the tuned model; Cortex appends a suffix if it is taken.
        :param base_model: the model to tune.
        :param training_data: a query with the columns PROMPT and COMPLETION.
        :param validation_data: the same for validation; without it Cortex splits the training
            data.
        :param options: Cortex's own, such as ``{"max_epochs": 3}``.
        """
        return self.jobs().create(
            model, base_model, training_data, validation_data=validation_data, options=options
        )

    def cancel(self, job_id: str) -> str:
        """Cancel a job and return Cortex's sentence about it."""
        return self.jobs().cancel(job_id)

    # --- Models ----------------------------------------------------------------------------------

    # Guess model-listed: SHOW MODELS lists a tuned model from the end of its job on. If wrong: a
    # retry takes the model for dropped, and trains another one.
    def has_model(self, name: str) -> bool:
        """
        Return whether a tuned model still exists: False only if Snowflake lists its schema
        without it.

        :param name: as Cortex returned it.
        """
        try:
            *schema, model = self.namespace().full_name(identifiers.without_at(name))
            call = sql.models(identifiers.sql(tuple(schema)), model.text)
            shown = self._shown(call, about=f"show model {name}")
        except (UnknownNamespaceError, RejectedError) as error:
            self.log.warning(
                "Cannot find out whether model %s still exists: %s", for_log(name), error
            )
            return True
        # Cortex may return the name in another case than Snowflake keeps it.
        return any(str(record["name"]).upper() == model.text.upper() for record in shown)

    def versions(self, model: tuple[Identifier, ...]) -> list[ModelVersion]:
        """
        Return all versions of a tuned model that exist, newest first.

        :param model: the database, the schema, and the name without Cortex's suffix.
        """
        *schema, name = model
        pattern = sql.like(name.folded) + "%"
        call = sql.models(identifiers.sql(tuple(schema)), pattern)
        return model_versions.find(model, self._shown(call, about="list the models"))

    def alias(self, name: str) -> ModelAlias | None:
        """
        Return what an alias says of its model; None if there is no function of this name.

        :raises ArgumentError: if the function is no alias of this package.
        """
        function = *schema, last = self.namespace().full_name_of("alias", name)
        call = sql.functions(identifiers.sql(tuple(schema)), sql.like(last.folded))
        return model_alias.find(name, function, self._shown(call, about=f"read alias {name}"))

    def aliases(self) -> dict[str, ModelAlias]:
        """Return all aliases of models in the account that the role may see, by full name."""
        shown = self._shown(sql.functions(None), about="list the aliases of models")
        return dict(model_alias.find_all(shown))

    def dataset_versions(self, dataset: tuple[Identifier, ...], name: str) -> dict[str, object]:
        """
        Return the versions of a dataset, at least those whose names begin with *name*.

        Each comes with its metadata (guess dataset-metadata).

        :raises RejectedError: also if there is no such dataset.
        """
        about = f"list the versions of dataset {identifiers.written(dataset)}"
        shown = self._shown(datasets.versions(dataset, name), about=about)
        return datasets.read_versions(shown)

    def _shown(self, call: Call, *, about: str) -> list[dict[str, object]]:
        return sql.shown(*self.answer(call, about=about))

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
        Return the model's answer: text, or with *response_format* the decoded JSON.

        :param model: a tuned model by the name that Cortex returned, or a base model.
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
        Return a model's answers: to one prompt or conversation, or to each of several, in their
        order.

        :raises CompletionError: if the model gave no answer to one of them.
        """
        about = f"have model {question.model} answer"
        rows = self.answer(question.call, about=about).rows
        expected = len(question.prompt) if question.is_list else 1
        if len(rows) != expected or any(len(row) != 1 for row in rows):
            raise UnreadableAnswerError(f"which should be {expected} rows of one column", rows)
        return question.read([row[0] for row in rows])

    def extract(
        self,
        files: Sequence[str],
        *,
        model: str | None = None,
        response_format: object = None,
        scores: bool = False,
    ) -> tuple[Extraction, ...]:
        """
        Return what a model finds in files, in their order, from one statement.

        :param files: paths on stages, such as ``@my_db.my_schema.my_stage/invoices/1.pdf``.
        :param model: a tuned model by the name that Cortex returned; None for ``arctic-extract``.
        :param response_format: what to extract, in one of the forms of AI_EXTRACT; None for the
            questions that the model was tuned with.
        :param scores: have the model's confidence in each answer reported.
        """
        extractor = Extractor(model=model, questions=questions.read(response_format), scores=scores)
        return self.extractions(extraction.of_files(extractor, files), len(files))

    def extractions(self, call: Call, documents: int) -> tuple[Extraction, ...]:
        """Return what a statement extracts from so many documents."""
        rows = self.answer(call, about="extract from documents").rows
        if len(rows) != documents or any(len(row) != 1 for row in rows):
            raise UnreadableAnswerError(f"which should be {documents} rows of one column", rows)
        return tuple(extraction.read(row[0]) for row in rows)

    # --- Statements ------------------------------------------------------------------------------

    def columns(self, argument: str, query: str, *names: str) -> tuple[str, ...]:
        """
        Return the names of a query's columns: these, or all. Snowflake compiles it, and does not
        run it.

        :param argument: the argument that has the query, for errors.
        """
        call = sql.columns(argument, query, *names)
        return self.answer(call, about=f"compile {argument}").columns

    def submit(self, call: Call, *, about: str) -> str:
        """Start a statement, and return its query id at once: it runs on without this session."""

        def start(session: SnowflakeConnection) -> str:
            with session.cursor() as cursor:
                cursor.execute_async(call.sql, call.values)
                self._last_query_id = cursor.sfqid
                return str(cursor.sfqid)

        return self.in_session(start, about=about, only_reads=False)

    def execution(self, query_id: str) -> Execution:
        """Return the state of a statement that :meth:`submit` started."""
        from snowflake.connector import Error

        def read(session: SnowflakeConnection) -> Execution:
            status = session.get_query_status(query_id)
            if status.name in UNKNOWN:
                raise UnreachableError(f"Snowflake reports {status.name} for query {query_id}")
            message = None
            if session.is_an_error(status):
                try:
                    session.get_query_status_throw_if_error(query_id)
                except Error as error:
                    message = error.msg
            return Execution(query_id=query_id, status=status.name, message=message)

        return self.in_session(read, about=f"read the status of query {query_id}")

    def statements_with(self, text: str) -> tuple[PastStatement, ...]:
        """
        Return the user's statements of the last days that contain *text*, newest first.

        :raises RejectedError: also if the session has no current database.
        """
        call = statement_history.search(text)
        return statement_history.read(self.answer(call, about="search the query history").rows)

    def cancel_query(self, query_id: str) -> str:
        """
        Cancel a statement that :meth:`submit` started, and return Snowflake's sentence about it.
        """
        return self.sentence(sql.cancel_query(query_id), about=f"cancel query {query_id}")

    def run_once(self, call: Call, *, about: str) -> None:
        """Run a statement, and ignore its answer."""
        self.answer(call, about=about)

    def row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
        """Return the only row of an answer, which has *width* cells."""
        rows = self.answer(call, about=about).rows
        if len(rows) != 1 or len(rows[0]) != width:
            expected = "one column" if width == 1 else f"{width} columns"
            problem = f"which should be one row of {expected} when asked to {about}"
            raise UnreadableAnswerError(problem, rows)
        return tuple(rows[0])

    def sentence(self, call: Call, *, about: str) -> str:
        """Return the only cell of an answer, which is text."""
        (cell,) = self.row(call, width=1, about=about)
        if not isinstance(cell, str) or not cell.strip():
            raise UnreadableAnswerError(f"which should be text when asked to {about}", cell)
        return cell.strip()

    # --- Where names belong ----------------------------------------------------------------------

    def query_url(self, query_id: str | None = None) -> str | None:
        """
        Return where Snowsight shows a query, by default the last one.

        None without a query, if the address is unknown, or if the emulator ran it.
        """
        query_id = query_id or self._last_query_id
        if not query_id or self._emulator_hint:
            return None
        return self.namespace().query_url(query_id)

    def namespace(self) -> Namespace:
        """
        Return the account, database and schema that complete names in this session, without
        opening it.

        :raises ConnectionNotFoundError: if Airflow finds no such connection.
        """
        return connection_namespace(
            self.get_conn_id(),
            account=self.account,
            region=self.region,
            database=self.database,
            schema=self.schema,
        )
