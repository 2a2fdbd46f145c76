"""Have a model answer a prompt, or all rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.completion_function_names import (
    COMPLETION_FUNCTIONS,
    CompletionFunction,
)
from airflow_provider_cortex.cortex.rendered_values import mapping
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.answer_table_task import AnswerTableTask
from airflow_provider_cortex.tasks.base import AskingTask, CortexTask
from airflow_provider_cortex.tasks.init_checks import as_value_error, one_of
from airflow_provider_cortex.tasks.links import SnowflakeQueryLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.completion import Prompt


class CortexCompleteOperator(AskingTask):
    """
    Have a model answer inside Snowflake, and return its answer.

    XComs: ``return_value`` is the answer, or for a list of prompts the list of answers, in their
    order; if it has more than 49,344 bytes, the task fails. ``usage`` has the tokens that all of it
    took (``prompt_tokens``, ``completion_tokens``, ``total_tokens``), if Cortex reports them.

    :param model: a tuned model by the name that the sensor returned, or a base model. (templated)
    :param alias: instead of *model*, its alias, which ``CortexPromoteModelOperator`` has created:
        one more statement finds the model, and the XCom ``model`` has its name. (templated)
    :param prompt: a text; a list of texts, all asked in one statement; or a conversation: a list
        of messages, each with a ``role`` and a ``content``, which only COMPLETE's page documents
        (guess conversation-prompt). (templated)
    :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``. (templated)
    :param response_format: ``{"type": "json", "schema": {…}}`` for an answer that is an object by
        this JSON schema. (templated)
    :param function: ``AI_COMPLETE``, or ``COMPLETE`` where an account has only that: Snowflake is
        retiring it. It reports the tokens only with one of the two arguments before, or in a
        conversation.
    :param log_answers: log prompts and answers; by default neither is logged.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if *function* is none of these, or not exactly one of *model* and *alias*
        is given.
    """

    template_fields: Sequence[str] = (
        "model",
        "alias",
        "prompt",
        "model_parameters",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {"model_parameters": "json", "response_format": "json"}
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        prompt: Prompt | XComArg,
        model: str | XComArg | None = None,
        alias: str | XComArg | None = None,
        model_parameters: Mapping[str, Any] | str | XComArg | None = None,
        response_format: Mapping[str, Any] | str | XComArg | None = None,
        function: CompletionFunction = "AI_COMPLETE",
        log_answers: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with as_value_error():
            one_of("function", function, COMPLETION_FUNCTIONS)
        self.set_model(model, alias)
        self.prompt = prompt
        self.model_parameters = model_parameters
        self.response_format = response_format
        self.function = function
        self.log_answers = log_answers

    def execute(self, context: Context) -> Any:
        """Return the model's answer, or answers: text, or objects by the response format."""
        from airflow_provider_cortex.cortex import completion

        with self.translated_errors():
            question = completion.Question(
                model=self.asked(),
                prompt=completion.prompt("prompt", self.prompt),
                model_parameters=mapping("model_parameters", self.model_parameters),
                response_format=mapping("response_format", self.response_format),
                function=self.function,
                with_usage=True,
            )
        with self.cortex(context) as hook:
            question = replace(question, model=self.find_model(hook, context))
            completions = hook.completions(question)
            answers = [one.answer for one in completions]
            answer = answers if question.is_list else answers[0]
            if self.log_answers:
                self.log.info("Prompt: %s", for_log(str(question.prompt)))
                self.log.info("Answer: %s", for_log(str(answer)))
            self._report_usage(completion.usage(completions), context)
            if self.do_xcom_push:
                completion.check_size(answer)
        return answer

    def _report_usage(self, usage: Mapping[str, int] | None, context: Context) -> None:
        if usage is None:
            return
        self.log.info("Tokens used: %s", usage.get("total_tokens", "unknown"))
        if self.do_xcom_push:
            context["ti"].xcom_push(key="usage", value=dict(usage))


class CortexCompleteTableOperator(AnswerTableTask):
    """
    Have a model answer every row of a table or query inside Snowflake, and write the answers into
    a table.

    One statement has the model answer into a staging table; it runs without a session, and
    Snowflake distributes its work. If the answers are good enough, a second statement writes them
    into the destination, which is unchanged if the task fails. Paid answers are not paid for
    again: a retry continues from the staging table, or from the running statement, also if the
    worker died before it could store the statement's id: then it finds the statement in
    Snowflake's query history (guess statement-listed). (A worker that dies just after the last
    statement, or a lost answer to it, makes a retry append the same rows again, or find the
    destination there, unless Airflow 3.3's task state store has the result already.)
    The role needs the privilege to create tables in the destination's schema, and the account
    must not cancel statements whose session has ended (``ABORT_DETACHED_QUERY``, off by default).

    Returns ``{"rows": …, "errors": …, "query_id": …}``. The XCom ``query_id`` is there as soon as
    the statement runs.

    :param model: a tuned model by the name that the sensor returned, or a base model. (templated)
    :param alias: instead of *model*, its alias, which ``CortexPromoteModelOperator`` has created.
        All rows are asked of the model that it stands for when the task starts. The XCom ``model``
        has its name. (templated)
    :param source: a table's name, a query, or the path of a ``.sql`` file with one. Its columns
        are copied to *destination*. (templated)
    :param destination: the table for the answers. (templated)
    :param prompt_column: the column of *source* that holds the prompts. (templated)
    :param prompt_expression: instead, an SQL expression over its columns. (templated)
    :param answer_column: the name of the column for the answers: text, or VARIANT with a
        *response_format*.
    :param error_column: the name of the column for errors; NULL in a row that has an answer. A
        prompt that is NULL has no answer, and counts as an error.
    :param if_exists: what to do if *destination* exists: ``fail``, ``replace`` it and keep its
        grants, or ``append`` to it.
    :param max_error_rate: the share of rows, from 0 to 1, that may have no answer.
    :param deferrable: wait in the triggerer, without holding a worker. By default as Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two polls of the statement.
    :param contact_timeout: seconds (or a timedelta) to keep retrying through transient errors.
    :param model_parameters: such as ``{"temperature": 0}``. (templated)
    :param response_format: ``{"type": "json", "schema": {…}}``. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if an argument is invalid.
    """

    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"
