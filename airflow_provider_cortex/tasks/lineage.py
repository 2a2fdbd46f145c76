"""What a job has read and made, in OpenLineage's words: told by whoever has its provider installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.namespace import Namespace
from airflow_provider_cortex.errors import UnknownNamespaceError

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    from airflow_provider_cortex.tasks.base import CortexTask

SCHEME = "snowflake"


def facets(task: CortexTask, job: FineTuneJob) -> OperatorLineage[Any, Any] | None:
    """
    Return what *job* has read and made; None without OpenLineage.

    The tables of its training and validation queries are the inputs, as far as OpenLineage's parser can read
    them; the model is the output. Run and job have the id of the statement that found the job over, and the
    queries. All is named as Airflow's Snowflake provider does it.

    Nothing is raised: what is not known is left out.
    """
    try:
        return _facets(job, task.cortex_hook().place())
    except ImportError:
        task.log.debug("No lineage: OpenLineage is not installed", exc_info=True)
    except Exception as error:  # noqa: BLE001 - lineage is a help, and whose fault it is does not matter
        task.log.warning("No lineage of fine-tuning job %s: %s", job.id, error)
    return None


def _facets(job: FineTuneJob, place: Namespace) -> OperatorLineage[Any, Any]:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.sqlparser import SQLParser
    from openlineage.client.facet_v2 import external_query_run, sql_job

    namespace = _namespace(place)
    queries = [query for query in (job.training_data, job.validation_data) if query]
    lineage: OperatorLineage[Any, Any] = OperatorLineage(
        inputs=_inputs(queries, place, namespace), outputs=_outputs(job, place, namespace)
    )
    if queries:
        sql = SQLParser.normalize_sql(queries)
        lineage.job_facets["sql"] = sql_job.SQLJobFacet(query=sql)
    if job.query_id:
        lineage.run_facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            externalQueryId=job.query_id, source=namespace
        )
    return lineage


def _namespace(place: Namespace) -> str:
    from airflow.providers.snowflake.utils.openlineage import fix_account_name

    # In small letters, since the provider takes the account out of a URI, as a host's name.
    return f"{SCHEME}://{fix_account_name(place.account.lower())}" if place.account else SCHEME


def _inputs(queries: list[str], place: Namespace, namespace: str) -> list[Dataset]:
    from airflow.providers.openlineage.sqlparser import SQLParser
    from openlineage.client.event_v2 import Dataset

    parser = SQLParser(dialect=SCHEME)
    names: dict[str, None] = {}  # a set would forget their order
    for query in queries:
        parsed = parser.parse(SQLParser.split_sql_string(query))
        for table in parsed.in_tables if parsed else ():
            parts = (table.database or place.database, table.schema or place.schema, table.name)
            known = [part for part in parts if part and not part.startswith("@")]  # that is a stage
            if len(known) == len(parts):
                names[".".join(known).upper()] = None
    return [Dataset(namespace=namespace, name=name) for name in names]


def _outputs(job: FineTuneJob, place: Namespace, namespace: str) -> list[Dataset]:
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import dataset_type_dataset

    if job.model is None:
        return []
    try:
        parts = place.full_name(job.model)
    except UnknownNamespaceError:
        return []
    kind = dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="MODEL")
    name = ".".join(part.folded for part in parts)
    return [Dataset(namespace=namespace, name=name, facets={"datasetType": kind})]
