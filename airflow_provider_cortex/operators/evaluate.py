"""Compare models by their answers to the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.rendered_values import (
    mapping,
    number,
    share,
    texts,
    whole_number,
)
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.base import CortexTask, NumberReader
from airflow_provider_cortex.tasks.gated import GatedTask
from airflow_provider_cortex.tasks.init_checks import (
    IF_TABLE_EXISTS,
    IfTableExists,
    as_value_error,
    one_of,
)
from airflow_provider_cortex.tasks.links import SnowflakeQueryLink
from airflow_provider_cortex.tasks.staged_task import StagedTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.evaluation import EvaluationRequest
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.operators.extract import Questions
    from airflow_provider_cortex.tasks.base import Number
    from airflow_provider_cortex.tasks.evaluation_steps import Evaluation

BASELINE = "baseline"
"""The XCom with the model that the baseline's alias stands for."""

# A similarity is from -1 to 1, and a new model may be allowed to be a little worse.
_score = partial(number, least=-1.0)

NUMBERS: Mapping[str, NumberReader] = {
    "sample": whole_number,
    "min_score": _score,
    "min_gain": _score,
    "max_unscored_rows": share,
}
"""The arguments that are numbers, and what reads each."""


class CortexEvaluateOperator(GatedTask, StagedTask):
    """
    Have several models answer the same rows inside Snowflake, and return the best one's name.

    One statement asks all models for all rows, a second one scores the answers; both run without a
    session, and no row passes through Airflow. A retry does not pay again for a statement that has
    finished, nor for one that still runs. The role needs the privilege to create
    tables in the destination's schema, or without a destination in the session's.

    XComs: ``return_value`` and ``winner`` are the best model's name. ``scores`` is a report on all
    models, which exists even if a limit is missed: ``rows``; ``unscored``, the rows without a score
    from each model; ``models``, a list with each model's ``score``, ``errors``, ``error_rate`` and tokens; ``comparisons`` of the best model with the baseline, or with all others, each with
    ``gain``, ``better`` and ``worse`` rows, ``p_value`` and ``could_be_chance``. A row without an
    answer scores 0. With ``outlets``, the asset event of the best model has the report, too.

    :param models: the models to compare: tuned ones by the name that the sensor returned, and base
        models. A list, or one name. (templated)
    :param data: a table's name, a query, or the path of a ``.sql`` file with one: rows that no
        model was trained with. (templated)
    :param prompt_column: the column of *data* with the prompts. (templated)
    :param file_column: instead, the column with the paths of files on a stage, for models that
        extract from documents: AI_EXTRACT is asked. (templated)
    :param response_format: with *file_column*, what to extract, as of
        :class:`~airflow_provider_cortex.operators.CortexExtractOperator`. None: what the models
        were tuned with. (templated)
    :param expected_column: its column with the expected answers: with *file_column* a JSON object
        with a value for each label. (templated)
    :param score: ``"exact"``: 1 for an answer that equals the expected one, but for case and white
        space, else 0. ``"similarity"``: AI_SIMILARITY of both, from -1 to 1. ``"judge"``:
        *judge_model* scores each answer, from 0 to 1. Or an SQL expression for a number over the
        columns PROMPT, EXPECTED and ANSWER. With *file_column*, ``"exact"`` is 1 for a document
        with all fields right, and ``"fields"`` is the share of its fields that are right; the
        report has each field's share for each model. (templated)
    :param judge_model: the model that scores, for ``"judge"``: a large base model. It reads each
        prompt, expected answer and answer. (templated)
    :param rubric: what it is asked to do, instead of the built-in text; its score must be from 0 to
        1. (templated)
    :param baseline: the model in use, which the others have to beat; it is asked, too. Empty or
        None, as before the first model: there is nothing to compare with. (templated)
    :param baseline_alias: instead, its alias, which ``CortexPromoteModelOperator`` has created; if
        there is no such alias yet, there is nothing to compare with. The XCom ``baseline`` has the
        model's name. (templated)
    :param min_score: the least score of the best model. (templated)
    :param min_gain: how much it must score above *baseline*, if there is one. (templated)
    :param max_unscored_rows: the share of rows, from 0 to 1, that may have no score: the expected
        answer is NULL, or the judge gave no number from 0 to 1. Such rows do not count. None: any.
        (templated)
    :param destination: a table for prompts, expected answers, answers and scores, with a row for
        each row of *data* and model. (templated)
    :param if_exists: what to do if *destination* exists: ``fail``, ``replace`` it and keep its
        grants, or ``append`` to it.
    :param sample: ask for at most so many rows, chosen at random. (templated)
    :param model_parameters: such as ``{"temperature": 0}``, for the models. (templated)
    :param gate: what the task does if a limit is missed: ``"fail"``, without a retry, or
        ``"skip"``.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.staged_task.StagedTask`,
        :class:`~airflow_provider_cortex.tasks.base.CortexTask` and ``BaseOperator``.
    :raises ValueError: if an argument is invalid.
    """

    numbers = NUMBERS
    template_fields: Sequence[str] = (
        "models",
        "data",
        "prompt_column",
        "file_column",
        "response_format",
        "expected_column",
        "score",
        "judge_model",
        "rubric",
        "baseline",
        "baseline_alias",
        "destination",
        "model_parameters",
        *NUMBERS,
        *CortexTask.template_fields,
    )
    sql_fields = ("data",)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {
        "data": "sql",
        "score": "sql",
        "model_parameters": "json",
        "response_format": "json",
    }
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"
    report_kind = "evaluation"
    report_xcom = "scores"

    def __init__(
        self,
        *,
        models: Sequence[str | XComArg] | str | XComArg,
        data: str | XComArg,
        expected_column: str | XComArg,
        prompt_column: str | XComArg | None = None,
        file_column: str | XComArg | None = None,
        response_format: Questions = None,
        score: str | XComArg = "exact",
        judge_model: str | XComArg | None = None,
        rubric: str | XComArg | None = None,
        baseline: str | XComArg | None = None,
        baseline_alias: str | XComArg | None = None,
        min_score: Number = None,
        min_gain: Number = None,
        max_unscored_rows: Number = 0.1,
        destination: str | XComArg | None = None,
        if_exists: IfTableExists = "fail",
        sample: Number = None,
        model_parameters: Mapping[str, Any] | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if baseline is not None and baseline_alias is not None:
            raise ValueError("give either baseline or baseline_alias, and not both")
        if (prompt_column is None) == (file_column is None):
            raise ValueError("give either prompt_column or file_column, and not both")
        if file_column is None and response_format is not None:
            raise ValueError("response_format belongs to file_column")
        if file_column is not None and model_parameters is not None:
            raise ValueError("model_parameters do not belong to file_column")
        self.models = models
        self.data = data
        self.prompt_column = prompt_column
        self.file_column = file_column
        self.response_format = response_format
        self.expected_column = expected_column
        self.score = score
        self.judge_model = judge_model
        self.rubric = rubric
        self.baseline = baseline
        self.baseline_alias = baseline_alias
        self.destination = destination
        self.if_exists = if_exists
        self.model_parameters = model_parameters
        self._aliased: str | None = None
        for name in "judge_model", "rubric", "destination", "baseline_alias", "file_column":
            if getattr(self, name) is not None:
                self.remember_template(name)
        with as_value_error():
            one_of("if_exists", if_exists, IF_TABLE_EXISTS)
        self.set_numbers(
            sample=sample,
            min_score=min_score,
            min_gain=min_gain,
            max_unscored_rows=max_unscored_rows,
        )

    def resolve(self, hook: CortexHook, context: Context) -> None:
        """Find the model of the baseline's alias."""
        if name := self._optional("baseline_alias"):
            alias = hook.alias(name)
            if alias is None:
                self.log.info("There is no alias %s yet: nothing to compare with", for_log(name))
                return
            self._aliased = alias.model
            self.log.info("%s stands for model %s", for_log(name), for_log(alias.model))
            context["ti"].xcom_push(key=BASELINE, value=alias.model)

    def recall(self, context: Context) -> None:
        """Find the baseline with which the task began."""
        if self._optional("baseline_alias"):
            model = self.own_xcom(BASELINE, context)
            self._aliased = model if isinstance(model, str) else None

    def request(self, context: Context) -> EvaluationRequest:
        """Return which models to ask, with what, and how to score; the arguments are checked."""
        from airflow_provider_cortex.cortex import response_format
        from airflow_provider_cortex.cortex.evaluation import RUBRIC, EvaluationRequest
        from airflow_provider_cortex.cortex.extraction_evaluation import (
            ExtractionEvaluationRequest,
        )

        numbers = self.read_numbers()
        ti = context["ti"]
        models = tuple(dict.fromkeys(model.strip() for model in texts("models", self.models)))
        baseline = self._baseline()
        arguments: dict[str, Any] = {
            "models": models if baseline in {None, *models} else (*models, str(baseline)),
            "data": self.required("data"),
            "expected_column": self.required("expected_column"),
            "score": self.required("score"),
            "judge_model": self._optional("judge_model"),
            "rubric": self._optional("rubric") or RUBRIC,
            "sample": numbers["sample"],
            "destination": self._optional("destination"),
            "task_instance": (ti.dag_id, ti.task_id, ti.run_id, ti.map_index),
        }
        if file := self._optional("file_column"):
            questions = response_format.read(self.response_format)
            return ExtractionEvaluationRequest(prompt_column=file, questions=questions, **arguments)
        return EvaluationRequest(
            prompt_column=self.required("prompt_column"),
            model_parameters=mapping("model_parameters", self.model_parameters),
            **arguments,
        )

    def work(self, request: EvaluationRequest, hook: CortexHook) -> Evaluation:
        """Return the steps of the evaluation."""
        from airflow_provider_cortex.tasks.evaluation_steps import Evaluation

        return Evaluation(
            request, hook, self.log, baseline=self._baseline(), if_exists=self.if_exists
        )

    def deliver(self, result: dict[str, Any], context: Context) -> str:
        """
        Push the report, and return the best model's name.

        :raises GateError: if a limit is missed.
        """
        from airflow_provider_cortex.cortex.evaluation_report import EvaluationReport, Limits

        report = EvaluationReport.from_dict(result)
        self.log.info("%s", report.table())
        if self.do_xcom_push:
            context["ti"].xcom_push(key=self.report_xcom, value=result)
        numbers = self.read_numbers()
        del numbers["sample"]
        winner = report.check(Limits(**numbers))
        if self.do_xcom_push:
            context["ti"].xcom_push(key="winner", value=winner)
        if self.outlets:
            from airflow_provider_cortex.tasks import assets

            assets.emit(self, context, winner, {self.report_kind: result})
        return winner

    def _baseline(self) -> str | None:
        """Return the model in use; None before there is one."""
        if self._aliased is not None:
            return self._aliased
        if self.baseline is None or str(self.baseline).strip() in {"", "None"}:
            return None
        return self.required("baseline").strip()

    def _optional(self, argument: str) -> str | None:
        """Return an argument as text, None if the DAG file does not set it."""
        return self.required(argument) if self.is_set(argument) else None
