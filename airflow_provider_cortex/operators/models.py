"""Give a model a stable name, and drop the models that are no longer used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.rendered_values import texts, whole_number
from airflow_provider_cortex.tasks.base import MODEL, CortexTask
from airflow_provider_cortex.tasks.init_checks import as_value_error, is_literal
from airflow_provider_cortex.tasks.links import SnowflakeQueryLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.model_alias import ModelAlias


class CortexPromoteModelOperator(CortexTask):
    """
    Give a model a stable name, an alias, that all callers use: ``SELECT my_alias('…')``.

    The alias is an SQL function with one argument, the prompt; its body calls AI_COMPLETE with the
    model (guess alias-body). It is replaced in one statement, which keeps its grants, so callers
    never miss it. If the model gives no answer, the function returns NULL. Its comment, in JSON,
    names the model in use, the one before, the job, and the DAG, run and task. A function of this
    name that has no such comment is never replaced.

    Returns the model that was in use before, None if there was none: another task can roll back
    with ``model="{{ ti.xcom_pull('promote') }}"``. A retry returns the same, even if an earlier
    try has already replaced the function. If the model is in use already, the function stays as it
    is, and the model itself is returned. The XCom ``model`` is the model in use now. With
    ``outlets``, its asset event also has what tasks before this one have measured.

    :param model: a tuned model by the name that the sensor returned, or a base model, such as
        ``llama3.1-8b``, to return to it. A tuned model must exist. (templated)
    :param alias: the name of the function: an identifier or a qualified one. (templated)
    :param grant_usage_to: roles that may call the function, and use the model if it is a tuned one:
        a name, or a list of names. Roles that could call the function before keep that. (templated)
    :param finetune_job_id: the job that trained the model, for the comment. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    """

    template_fields: Sequence[str] = (
        "model",
        "alias",
        "grant_usage_to",
        "finetune_job_id",
        *CortexTask.template_fields,
    )
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg,
        alias: str | XComArg,
        grant_usage_to: str | Sequence[str | XComArg] | XComArg = (),
        finetune_job_id: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.alias = alias
        self.grant_usage_to = grant_usage_to
        self.finetune_job_id = finetune_job_id
        self.remember_template("model")
        if finetune_job_id is not None:
            self.remember_template("finetune_job_id")

    def execute(self, context: Context) -> str | None:
        """Promote the model, and return the one that was in use before."""
        from airflow_provider_cortex.tasks.promotion import Promotion

        with self.translated_errors():
            promotion = Promotion(
                alias=self.required("alias"),
                new=self._new_alias(context),
                roles=texts("grant_usage_to", self.grant_usage_to),
                namespace=self.namespace(),
            )
        with self.cortex(context) as hook:
            previous = promotion.run(hook, self.log, check_not_killed=self.check_not_killed)
            if self.do_xcom_push:
                context["ti"].xcom_push(key=MODEL, value=promotion.new.model)
            if self.outlets:
                from airflow_provider_cortex.tasks import assets

                facts = {"alias": self.alias, "previous_model": previous}
                assets.emit(self, context, promotion.new.model, facts)
            return previous

    def _new_alias(self, context: Context) -> ModelAlias:
        """Return what the function's comment will say, with its arguments as they are."""
        from airflow_provider_cortex.cortex.model_alias import ModelAlias

        ti = context["ti"]
        job_id = self.required_cell("finetune_job_id") if self.is_set("finetune_job_id") else None
        return ModelAlias(
            model=self.required_cell("model"),
            finetune_job_id=job_id,
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            run_id=ti.run_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
        )


class CortexDropModelsOperator(CortexTask):
    """
    Drop the older versions of a tuned model. There is no way back: Snowflake has no UNDROP MODEL.

    The versions are the tuned models in the schema that have the model's name, or that name with
    the suffix that Cortex appends: ``TICKETS``, ``TICKETS_1``, … (guess name-suffix). So give no
    other model a name that ends in an underscore and a number: it would count as a version.

    A version is kept if it is one of the newest, if it is in *protect*, or if an alias that
    ``CortexPromoteModelOperator`` has created uses it, anywhere in the account where the role may
    see it, or if a running statement of the same user names it. If aliases or statements cannot be
    listed, nothing is dropped.

    Returns ``{"dropped": [name, …], "kept": {name: reason, …}, "dry_run": …}``, with full names;
    the log has a line for each model. A model that cannot be dropped does not stop the others: the
    task fails at its end, and names it.

    :param model: the name that ``CortexFineTuneOperator`` got: without Cortex's suffix. (templated)
    :param keep: how many of the newest versions to keep, at least 1. (templated)
    :param protect: names of models to keep: a name, or a list of names. Empty names are ignored, so
        it may be what a task returns that promotes a model for the first time. (templated)
    :param dry_run: only list, and drop nothing.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if *keep* is not a whole number, or less than 1.
    """

    template_fields: Sequence[str] = ("model", "keep", "protect", *CortexTask.template_fields)
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg,
        keep: int | str | XComArg = 3,
        protect: str | Sequence[str | XComArg] | XComArg = (),
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if is_literal(keep):
            with as_value_error():
                whole_number("keep", keep)
        self.model = model
        self.keep = keep
        self.protect = protect
        # BaseOperator has a method dry_run.
        self.only_lists = dry_run

    def execute(self, context: Context) -> dict[str, Any]:
        """Drop the older versions, and return what was dropped and kept."""
        from airflow_provider_cortex.tasks.drop_models import DropModels

        with self.translated_errors():
            task = DropModels(
                model=self.required("model"),
                keep=whole_number("keep", self.keep),
                protect=texts("protect", self.protect, skip_empty=True),
                namespace=self.namespace(),
            )
        with self.cortex(context) as hook:
            reasons = task.decide(hook)
            dropped = task.drop(
                reasons,
                hook,
                self.log,
                dry_run=self.only_lists,
                check_not_killed=self.check_not_killed,
            )
            kept = {version.name: reason for version, reason in reasons.items() if reason}
            return {"dropped": dropped, "kept": kept, "dry_run": self.only_lists}
