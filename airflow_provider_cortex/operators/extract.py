"""Have a model extract values from documents: from some of them, or from a whole directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.rendered_values import texts
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.init_checks import error_rate
from airflow_provider_cortex.tasks.links import SnowflakeQueryLink
from airflow_provider_cortex.tasks.table_task import TableTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.extraction import Extraction, Extractor
    from airflow_provider_cortex.cortex.extraction_table_sql import ExtractTableRequest

    Questions = Mapping[str, Any] | Sequence[Any] | str | XComArg | None


MAX_ERRORS = 100
"""Files in the XCom ``errors``; the log has all."""


class ExtractingTask(CortexTask):
    """A task that has a model, or the base model, extract values from documents."""

    def set_extractor(
        self, model: str | XComArg | None, response_format: Questions, *, scores: bool
    ) -> None:
        """Keep the three arguments."""
        self.model = model
        self.response_format = response_format
        self.scores = scores
        if model is not None:
            self.remember_template("model")

    def extractor(self) -> Extractor:
        """
        Return the model and its questions.

        :raises ArgumentError: if one is invalid.
        """
        from airflow_provider_cortex.cortex import response_format
        from airflow_provider_cortex.cortex.extraction import Extractor

        return Extractor(
            model=self.required_cell("model") if self.is_set("model") else None,
            questions=response_format.read(self.response_format),
            scores=self.scores,
        )


class CortexExtractOperator(ExtractingTask):
    """
    Have a model extract values from documents inside Snowflake, and return its answers.

    One statement reads all files. XComs: ``return_value`` has the answers as an object, each by its
    label; for *files* it is a list of such objects, in the order of the files, with None for a file
    without answers. ``errors`` has the error of each such file, by its path, of at most 100 files.
    ``scores`` has the model's confidence in the same form as the answers. If the answers have more
    than 49,344 bytes, the task fails: ``CortexExtractTableOperator`` writes them into a table.

    :param model: a tuned model by the name that the sensor returned. None: ``arctic-extract``, the
        base model. (templated)
    :param file: a file's path on a named stage, such as ``@my_db.my_schema.my_stage/1.pdf``.
        (templated)
    :param files: instead, a list of such paths. (templated)
    :param text: instead, a text to extract from. (templated)
    :param response_format: what to extract, in one of the forms of AI_EXTRACT: ``{"label":
        "question"}``, a list of questions, a list of ``["label", "question"]``, a list of
        ``"label: question"``, or ``{"schema": a JSON schema}``. None: what the model was tuned
        with. (templated)
    :param scores: have the model's confidence in each answer reported.
    :param max_error_rate: the share of files, from 0 to 1, that may have no answers. If more have
        none, a retry pays for all files again; there is none if the files only do not exist.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if not exactly one of *file*, *files* and *text* is given, or
        *max_error_rate* is invalid.
    """

    template_fields: Sequence[str] = (
        "model",
        "file",
        "files",
        "text",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {"response_format": "json"}
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg | None = None,
        file: str | XComArg | None = None,
        files: Sequence[str | XComArg] | str | XComArg | None = None,
        text: str | XComArg | None = None,
        response_format: Questions = None,
        scores: bool = False,
        max_error_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        arguments = {"file": file, "files": files, "text": text}
        given = [name for name, value in arguments.items() if value is not None]
        if len(given) != 1:
            raise ValueError("give one of file, files and text, and no other")
        (self._document,) = given
        self.set_extractor(model, response_format, scores=scores)
        self.file, self.files, self.text = file, files, text
        self.max_error_rate = error_rate(max_error_rate)
        self.remember_template(self._document)

    def execute(self, context: Context) -> Any:
        """Return the answers: an object, or for several files a list of them."""
        from airflow_provider_cortex.cortex import extraction
        from airflow_provider_cortex.cortex.completion import check_size

        with self.translated_errors():
            extractor, documents = self.extractor(), self._documents()
            if self._document == "text":
                call = extraction.of_text(extractor, *documents)
            else:
                call = extraction.of_files(extractor, documents)
        with self.cortex(context) as hook:
            found = hook.extractions(call, len(documents))
            names = documents if self._document != "text" else ["text"]
            self._check_errors(dict(zip(names, found, strict=True)), extractor, context)
            answers, scores = self._value(found, "answers"), self._value(found, "scores")
            if self.do_xcom_push:
                check_size([answers, scores], CortexExtractTableOperator.__name__)
                if self.scores:
                    context["ti"].xcom_push(key="scores", value=scores)
        return answers

    def _documents(self) -> list[str]:
        """Return the files' paths, or the text."""
        if self._document == "files":
            return texts("files", self.files)
        return [self.required(self._document)]

    def _check_errors(
        self, found: Mapping[str, Extraction], extractor: Extractor, context: Context
    ) -> None:
        """
        Log each document's error, and push the first ones.

        :raises ArgumentError: if too many documents have one, and all of them only because there
            is no such file: a retry would pay for the others again.
        :raises CompletionError: if too many documents have one.
        """
        from airflow_provider_cortex.cortex.extraction import NO_FILE
        from airflow_provider_cortex.errors import ArgumentError, CompletionError
        from airflow_provider_cortex.safe_text import excerpt

        errors = {name: one.error for name, one in found.items() if one.error is not None}
        for name, error in errors.items():
            self.log.warning("No answers from %s: %s", for_log(name), for_log(error))
        if errors and self.do_xcom_push:
            first = {name: excerpt(error) for name, error in islice(errors.items(), MAX_ERRORS)}
            context["ti"].xcom_push(key="errors", value=first)
        if errors and len(errors) / len(found) > self.max_error_rate:
            name, error = next(iter(errors.items()))
            counted = f" ({len(errors)} of {len(found)} files have no answers)"
            message = f"{excerpt(name)}: {excerpt(error)}{counted if len(found) > 1 else ''}"
            if set(errors.values()) == {NO_FILE}:
                raise ArgumentError(self._document, name, f"has {message}.")
            raise CompletionError(extractor.name, message)

    def _value(self, found: Sequence[Extraction], name: str) -> Any:
        values = [getattr(one, name) for one in found]
        return values if self._document == "files" else values[0]


class CortexExtractTableOperator(ExtractingTask, TableTask):
    """
    Have a model extract values from all files of a directory inside Snowflake, and write them into
    a table.

    One statement has the model read the files; it runs without a session. It is deferred, paid for
    once, and cancelled when the task is killed, as for
    :class:`~airflow_provider_cortex.operators.CortexCompleteTableOperator`.

    Returns ``{"rows": …, "errors": …, "query_id": …}``. The XCom ``query_id`` is there as soon as
    the statement runs.

    :param source: a directory on a named stage, such as ``@my_db.my_schema.my_stage/invoices``,
        with those below it: its stage needs a directory table, which knows the files of its last
        ``ALTER STAGE … REFRESH``. Or a table's name, a query, or the path of a ``.sql`` file with
        one; its columns are copied to *destination*. (templated)
    :param destination: the table for the answers. (templated)
    :param model: a tuned model by the name that the sensor returned. None: ``arctic-extract``, the
        base model. (templated)
    :param response_format: what to extract, as of
        :class:`~airflow_provider_cortex.operators.CortexExtractOperator`. None: what the model was
        tuned with. (templated)
    :param file_column: the column with the files' paths: of *source*, or if that is a directory,
        of *destination*.
    :param answer_column: one VARIANT column for all answers of a file. None: a column for each
        label of *response_format*, with text, or VARIANT for a list, a table or an object of a
        JSON schema.
    :param scores: have the model's confidence in each answer written into the VARIANT column
        SCORES.
    :param error_column: the name of the column for errors; NULL in a row that has answers.
    :param if_exists: what to do if *destination* exists: ``fail``, ``replace`` it and keep its
        grants, or ``append`` to it.
    :param max_error_rate: the share of files, from 0 to 1, that may have no answers.
    :param deferrable: wait in the triggerer, without holding a worker. By default as Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two polls of the statement.
    :param contact_timeout: seconds (or a timedelta) to keep retrying through transient errors.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if an argument is invalid.
    """

    template_fields: Sequence[str] = (
        "source",
        "destination",
        "model",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {"source": "sql", "response_format": "json"}
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg | None = None,
        response_format: Questions = None,
        file_column: str = "file",
        answer_column: str | None = None,
        scores: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_extractor(model, response_format, scores=scores)
        self.file_column = file_column
        self.answer_column = answer_column

    def request(self, context: Context) -> ExtractTableRequest:
        """Return what to extract, with the arguments checked."""
        from airflow_provider_cortex.cortex.extraction_table_sql import ExtractTableRequest

        ti = context["ti"]
        request = ExtractTableRequest(
            extractor=self.extractor(),
            source=self.required("source"),
            destination=self.required("destination"),
            file_column=self.file_column,
            answer_column=self.answer_column,
            error_column=self.error_column,
        )
        return request.of_task(ti.dag_id, ti.task_id, ti.run_id, ti.map_index)
