"""Make the dataset with which arctic-extract is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.operators.fine_tune import IF_EXISTS, IfExists
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.init_checks import as_value_error, is_literal, one_of
from airflow_provider_cortex.tasks.links import SnowflakeQueryLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_cortex.cortex.dataset import Origin


class CortexCreateDatasetOperator(CortexTask):
    """
    Make a dataset's version from a query, to train arctic-extract with, and return its address.

    The query has a row for each document: its ``file`` on a stage, as ``@db.schema.stage/x.pdf``;
    its ``prompt``, JSON with questions in any form of AI_EXTRACT's responseFormat; and its
    ``response``, a JSON object with the answer for each label. Other columns are left out.

    One statement first checks all rows inside Snowflake: that each file is on its stage (guess
    missing-file), that prompts and responses are JSON with the same labels, and that Snowflake's
    limits hold: 1,000 different files, 100 questions for a document, and 50,000 questions times
    pages. SQL does not know how many pages a document has: so each counts as one. Only figures and
    an example of each problem leave Snowflake. Rows that Cortex cannot be trained with fail the
    task without a retry, and nothing is added. Fewer than 20 documents are logged as a warning.

    XComs: ``return_value`` is the address, ``snow://dataset/<database>.<schema>.<name>/versions/<version>``,
    for ``training_data`` or ``validation_data`` of ``CortexFineTuneOperator``. ``report`` has the
    figures, also if the rows cannot be used.

    A version is added once: its metadata say which task instance added it, and from which query. So
    a retry, and a cleared task, return the version of their earlier try, if the text of the query
    is the same. Only the text of queries is compared, and never their rows: a version is a copy,
    which later changes of a table do not reach.

    :param dataset: the dataset's name: an identifier or a qualified one. It is created unless it
        exists. (templated)
    :param query: a query with the columns file, prompt and response, the path of a ``.sql`` file
        with one, or a table's name. (templated)
    :param version: the version's name: letters, digits, ``_``, ``-`` and ``.``. By default each run
        has its own, such as ``run_2026_11_28_3f9c…``. (templated)
    :param if_exists: what to do if there is such a version that no earlier try of this task has
        added: ``adopt`` it if it was made from the same query, or if its metadata do not say from
        which; ``fail``; or ``create`` another one, with a suffix such as ``_2``. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if *if_exists* is invalid.
    """

    template_fields: Sequence[str] = (
        "dataset",
        "query",
        "version",
        "if_exists",
        *CortexTask.template_fields,
    )
    sql_fields = ("query",)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"query": "sql"}
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"
    report_kind = "dataset"
    report_xcom = "report"

    def __init__(
        self,
        *,
        dataset: str | XComArg,
        query: str | XComArg,
        version: str | XComArg | None = None,
        if_exists: IfExists | str | XComArg = "adopt",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if is_literal(if_exists):
            with as_value_error():
                one_of("if_exists", if_exists, IF_EXISTS)
        self.dataset = dataset
        self.query = query
        self.version = version
        self.if_exists = if_exists
        if version is not None:
            self.remember_template("version")
        self._checked_query: str | None = None
        """The query whose version is returned, for lineage."""

    def execute(self, context: Context) -> str:
        """Add the version, unless it is there, and return its address."""
        from airflow_provider_cortex.cortex.dataset import default_name, version_name
        from airflow_provider_cortex.cortex.identifiers import written
        from airflow_provider_cortex.cortex.source_query import as_query
        from airflow_provider_cortex.tasks.create_dataset import AddVersion

        with self.translated_errors():
            if_exists = one_of("if_exists", self.required("if_exists").strip(), IF_EXISTS)
            name = self.namespace().full_name_of("dataset", self.required("dataset"))
            query = as_query("query", self.required("query"))
            origin = self._origin(written(name), query, context)
            version = default_name(origin.proof, origin.run_id)
            if self.is_set("version"):
                version = version_name("version", self.required("version"))

        def push_report(report: Mapping[str, Any]) -> None:
            if self.do_xcom_push:
                context["ti"].xcom_push(key=self.report_xcom, value=dict(report))

        with self.cortex(context) as hook:
            add = AddVersion(
                name=name,
                version=version,
                query=query,
                origin=origin,
                if_exists=if_exists,
                hook=hook,
                check_not_killed=self.check_not_killed,
                log=self.log,
            )
            uri = add.run(push_report).uri
            self.linked_query_id = hook.last_query_id
            self._checked_query = query
            return uri

    def get_openlineage_facets_on_complete(
        self, task_instance: Any
    ) -> OperatorLineage[Any, Any] | None:
        """
        Return the tables that the query reads; OpenLineage's provider calls this.

        Source: ``airflow.providers.openlineage.extractors.base.DefaultExtractor``.
        """
        from airflow_provider_cortex.tasks import lineage

        if self._checked_query is None:
            return None
        return lineage.of_queries(self, [self._checked_query], self.linked_query_id)

    def _origin(self, dataset: str, query: str, context: Context) -> Origin:
        """Return what the version's metadata will say, without the figures of its rows."""
        from airflow_provider_cortex.cortex.dataset import Origin, digest
        from airflow_provider_cortex.tasks.earlier_job import owner_of

        owner = owner_of(context, task_id=self.task_id, model=dataset)
        return Origin(
            proof=owner.proof,
            query=digest(query),
            dag_id=owner.dag_id,
            task_id=owner.task_id,
            run_id=owner.run_id,
            map_index=owner.map_index,
        )
