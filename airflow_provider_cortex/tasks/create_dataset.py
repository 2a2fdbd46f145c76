"""Add a version to a dataset once, however often the task runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.cortex import dataset, dataset_check, identifiers
from airflow_provider_cortex.cortex.dataset import Choice, DatasetVersion, Origin
from airflow_provider_cortex.cortex.dataset_check import DocumentFigures
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.errors import QueryError, RejectedError
from airflow_provider_cortex.safe_text import for_log

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


@dataclass(frozen=True, kw_only=True)
class AddVersion:
    """
    Add a version, unless an earlier try of the same task has added it.

    :param name: database, schema and name of the dataset.
    :param version: the version's name.
    :param query: the query for its rows.
    :param origin: where it comes from.
    :param if_exists: what to do with a version of this name that is not of this task instance.
    :param hook: the task's session.
    :param check_not_killed: raises TaskKilledError if the task was killed.
    :param log: the task's.
    """

    name: tuple[Identifier, ...]
    version: str
    query: str
    origin: Origin
    if_exists: str
    hook: CortexHook
    check_not_killed: Callable[[], None]
    log: Log

    def run(self, push_report: Callable[[Mapping[str, Any]], None]) -> DatasetVersion:
        """
        Return the version, which exists then.

        :param push_report: takes the figures of its rows, also of rows that cannot be used.
        :raises ArgumentError: if there is another version of its name, or the rows cannot be used.
        """
        shown = self._shown()
        choice = dataset.choose(self.version, shown or {}, self.origin, self.if_exists)
        if choice.exists:
            if choice.origin and choice.origin.report is not None:
                push_report(choice.origin.report)
            return self._existing(choice)
        chosen = dataset_check.columns(self._columns())
        rows = dataset_check.rows(self.query, chosen)
        figures = self._measured(rows)
        push_report(figures.to_dict())
        figures.check()
        if figures.files < dataset_check.RECOMMENDED_FILES:
            self.log.warning(
                "The query has %d different documents. Snowflake recommends at least %d.",
                figures.files,
                dataset_check.RECOMMENDED_FILES,
            )
        self.check_not_killed()
        if shown is None:
            about = f"create dataset {identifiers.written(self.name)}"
            self.hook.run_once(dataset.create(self.name), about=about)
        return self._add(choice, rows, figures)

    def _add(self, choice: Choice, rows: str, figures: DocumentFigures) -> DatasetVersion:
        made = DatasetVersion(self.name, choice.version)
        call = dataset.add_version(made, rows, replace(self.origin, report=figures.to_dict()))
        self.check_not_killed()
        try:
            self.hook.run_once(call, about=f"add version {made.uri}")
        except RejectedError:
            # The statement of an earlier try may have run on, and added it meanwhile.
            found = dataset.choose(self.version, self._shown() or {}, self.origin, self.if_exists)
            if not found.exists:
                raise
            return self._existing(found)
        self.log.info("Added %s: %d rows", for_log(made.uri), figures.rows)
        return made

    def _existing(self, choice: Choice) -> DatasetVersion:
        found = DatasetVersion(self.name, choice.version)
        origin = choice.origin
        if origin is None:
            self.log.warning(
                "Adopting %s, whose metadata do not say from which query it was made",
                for_log(found.uri),
            )
        elif origin.proof == self.origin.proof:
            self.log.info(
                "Returning %s, which an earlier try of this task has added", for_log(found.uri)
            )
        else:
            self.log.info(
                "Adopting %s, which was made from the same query by task %s of run %s",
                for_log(found.uri),
                for_log(f"{origin.dag_id}.{origin.task_id}"),
                for_log(origin.run_id),
            )
        return found

    def _shown(self) -> dict[str, object] | None:
        """Return the dataset's versions; None if Snowflake does not list them."""
        try:
            return self.hook.dataset_versions(self.name, self.version)
        except RejectedError as error:
            self.log.info(
                "Snowflake does not list the versions of %s: it may not exist yet (%s)",
                identifiers.written(self.name),
                error,
            )
            return None

    def _columns(self) -> tuple[str, ...]:
        """Have Snowflake compile the query, and return its columns."""
        try:
            return self.hook.columns("query", self.query)
        except RejectedError as rejection:
            raise QueryError(
                "query",
                f"is not a query that Snowflake can run here: {rejection.snowflake_message}",
            ) from rejection

    def _measured(self, rows: str) -> DocumentFigures:
        row = self.hook.row(
            dataset_check.statement(rows), width=dataset_check.WIDTH, about="check query"
        )
        return dataset_check.figures(row)
