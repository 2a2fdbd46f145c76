"""Tables and models for OpenLineage, if its provider is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.cortex.source_query import is_not_sql
from airflow_provider_cortex.errors import UnknownNamespaceError
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    from airflow_provider_cortex.tasks.base import CortexTask

SCHEME = "snowflake"


def facets(task: CortexTask, job: FineTuneJob) -> OperatorLineage[Any, Any] | None:
    """
    Return a finished job's inputs and output; None without OpenLineage.

    The inputs are the tables of its training and validation queries; the output is the model. The
    run has the id of the statement that found the job finished. Nothing is raised: unknown parts
    are left out.
    """
    data = (job.training_data, job.validation_data)
    queries = [query for query in data if query and not is_not_sql(query)]
    about = f"fine-tuning job {for_log(job.id)}"
    return _lineage(task, about, queries, job.query_id, job.model)


def of_queries(
    task: CortexTask, queries: list[str], query_id: str | None
) -> OperatorLineage[Any, Any] | None:
    """
    Return the tables that queries read, as inputs; None without OpenLineage. Nothing is raised.

    :param query_id: the id of the statement that read them.
    """
    return _lineage(task, "the queries", queries, query_id, None)


def _lineage(
    task: CortexTask, about: str, queries: list[str], query_id: str | None, model: str | None
) -> OperatorLineage[Any, Any] | None:
    try:
        return _facets(queries, query_id, model, task.namespace())
    except ImportError:
        task.log.debug("No lineage: OpenLineage is not installed", exc_info=True)
    except Exception as error:  # noqa: BLE001 - of any kind: a task must not fail because of its lineage
        task.log.warning("No lineage of %s: %s", about, for_log(str(error)))
    return None


def _facets(
    queries: list[str], query_id: str | None, model: str | None, defaults: Namespace
) -> OperatorLineage[Any, Any]:
    """
    Return the tables of queries as inputs, as far as OpenLineage's parser can read them, and a
    model as output. Names are those of Airflow's Snowflake provider.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.sqlparser import SQLParser
    from openlineage.client.facet_v2 import external_query_run, sql_job

    source = _source(defaults)
    lineage: OperatorLineage[Any, Any] = OperatorLineage(
        inputs=_inputs(queries, defaults, source), outputs=_outputs(model, defaults, source)
    )
    if queries:
        sql = SQLParser.normalize_sql(queries)
        lineage.job_facets["sql"] = sql_job.SQLJobFacet(query=sql)
    if query_id:
        lineage.run_facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            externalQueryId=query_id, source=source
        )
    return lineage


def _source(defaults: Namespace) -> str:
    from airflow.providers.snowflake.utils.openlineage import fix_account_name

    if not defaults.account:
        return SCHEME
    # In lower case: the provider reads the account from a URI, as a host name.
    return f"{SCHEME}://{fix_account_name(defaults.account.lower())}"


def _inputs(queries: list[str], defaults: Namespace, source: str) -> list[Dataset]:
    from airflow.providers.openlineage.sqlparser import SQLParser
    from openlineage.client.event_v2 import Dataset

    parser = SQLParser(dialect=SCHEME)
    names: dict[str, None] = {}  # a set would lose their order
    for query in queries:
        parsed = parser.parse(SQLParser.split_sql_string(query))
        for table in parsed.in_tables if parsed else ():
            parts = (
                table.database or defaults.database,
                table.schema or defaults.schema,
                table.name,
            )
            known = [
                part for part in parts if part and not part.startswith("@")
            ]  # a stage begins with @
            if len(known) == len(parts):
                names[".".join(known).upper()] = None
    return [Dataset(namespace=source, name=name) for name in names]


def _outputs(model: str | None, defaults: Namespace, source: str) -> list[Dataset]:
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import dataset_type_dataset

    if model is None:
        return []
    try:
        parts = defaults.full_name(model)
    except UnknownNamespaceError:
        return []
    kind = dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="MODEL")
    name = ".".join(part.folded for part in parts)
    return [Dataset(namespace=source, name=name, facets={"datasetType": kind})]
