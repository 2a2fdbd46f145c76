"""The account in which the checks run, and everything that they create in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

from airflow_provider_cortex.cortex import dataset, model_alias
from airflow_provider_cortex.cortex.dataset import DatasetVersion, Origin
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.model_alias import ModelAlias
from airflow_provider_cortex.cortex.owner_comment import Owner
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import CortexError, UnreachableError, cancel_job_sql
from airflow_provider_cortex.hooks import CortexHook
from live.finding import CannotTellError

BASE_MODEL = "llama3.1-8b"
"""The only model for text that Snowflake's page still lists."""

ROWS = 50
EPOCHS = 3

POLL_SECONDS = 60
MAX_POLLS = 120
"""After so many polls a job counts as hung."""

WAIT_SECONDS = 60
"""How long the statement runs that is cancelled."""

Made = TypeVar("Made")


def once(make: Callable[[Account], Made]) -> Callable[[Account], Made]:
    """
    Let a method create something only once: a second job would cost again.

    Later calls return the same, or raise the same error.
    """

    @wraps(make)
    def make_once(account: Account) -> Made:
        if make not in account.made:
            # After Ctrl-C this remains, and the clean-up knows that something may exist.
            account.made[make] = CannotTellError("it was interrupted")
            try:
                account.made[make] = make(account)
            except (CortexError, CannotTellError) as error:
                account.made[make] = error
        result: Any = account.made[make]
        if isinstance(result, Exception):
            raise result
        made: Made = result
        return made

    return make_once


class Account:
    """
    A session, and what a run of ``make live`` creates with it, when a check needs it.

    :param name: the name for the table, the dataset, the alias and the model. All that the run creates begins with it.
    :param sleep: waits for a number of seconds.
    :param say: takes a line about the progress.
    """

    def __init__(
        self,
        hook: CortexHook,
        *,
        name: str,
        sleep: Callable[[float], object] = time.sleep,
        say: Callable[[str], object],
    ) -> None:
        self.hook = hook
        self.model = name
        self.table = f"{name}_DATA"
        self.alias = f"{name}_ALIAS"
        self.dataset = f"{name}_DATASET"
        self.query = self._mark(f"SELECT prompt, completion FROM {self.table}")  # noqa: S608 - our name
        self.polled: list[FineTuneJob] = []
        """Everything that the polls of the training job have returned."""
        self.made: dict[object, object] = {}
        """What :func:`once` has created, or its error, by the method."""
        self._jobs: list[str] = []
        self._sleep = sleep
        self._say = say

    # --- What the checks share -------------------------------------------------------------------

    @once
    def create_data(self) -> None:
        """Create the table with the training data."""
        rows = ", ".join(f"('What comes after {n}?', '{n + 1}')" for n in range(ROWS))
        sql = (
            f"CREATE TABLE {self.table} AS"  # noqa: S608 - our own name and rows
            f" SELECT column1 AS prompt, column2 AS completion FROM VALUES {rows}"
        )
        self.hook.run_once(Call(sql, ()), about=f"create table {self.table}")

    @once
    def create_alias(self) -> ModelAlias:
        """Create an alias of the base model, and return what its comment should say."""
        made = ModelAlias(model=BASE_MODEL, dag_id="make_live", task_id="it's", run_id=self.model)
        function = self.hook.namespace().full_name(self.alias)
        self.hook.run_once(model_alias.promote(function, made), about=f"create alias {self.alias}")
        return made

    @once
    def create_dataset(self) -> Origin:
        """Create a dataset of one row, and return what the metadata of its version should say."""
        origin = Origin(
            proof="0" * 32, query="0" * 32, dag_id="make_live", task_id="it's", run_id=self.model
        )
        name = self.hook.namespace().full_name(self.dataset)
        row = """SELECT 1 AS "file", 2 AS "prompt", 3 AS "response\""""
        about = f"create dataset {self.dataset}"
        self.hook.run_once(dataset.create(name), about=about)
        added = dataset.add_version(DatasetVersion(name, "v1"), row, origin)
        self.hook.run_once(added, about=about)
        return origin

    @once
    def training_job(self) -> str:
        """Start the one job that trains a model, and return its id."""
        return self.start(self.query, options={"max_epochs": EPOCHS})

    @once
    def trained_job(self) -> FineTuneJob:
        """Wait for the training job."""
        return self.wait(self.training_job(), self.polled)

    @once
    def model_name(self) -> str:
        """Return the name of the trained model, as Cortex returned it."""
        return self.trained_job().outcome()

    @once
    def cancelled_job(self) -> FineTuneJob:
        """Start a job under the name of the training job, without options, and cancel it."""
        self.training_job()
        job_id = self.start(self.query)
        self.hook.cancel(job_id)
        return self.wait(job_id)

    @once
    def cancelled_query(self) -> str:
        """Start a statement that only waits, and cancel it."""
        call = Call(f"CALL SYSTEM$WAIT({WAIT_SECONDS})", ())
        query_id = self.hook.submit(call, about="start a statement")
        sentence = self.hook.cancel_query(query_id)
        if "terminated" not in sentence:
            raise CannotTellError(f"the statement to cancel had ended: {sentence}")
        for _ in range(WAIT_SECONDS):
            if self.hook.execution(query_id).status not in {"RUNNING", "ABORTING"}:
                return query_id
            self._sleep(1)
        raise CannotTellError("to cancel a statement had no effect")

    # --- What the checks do ----------------------------------------------------------------------

    def start(
        self,
        training_data: str,
        *,
        base_model: str = BASE_MODEL,
        options: dict[str, int] | None = None,
    ) -> str:
        """Start a job, and return its id."""
        self.create_data()
        job_id = self.hook.create(self.model, base_model, training_data, options=options)
        self._jobs.append(job_id)
        return job_id

    def wait(self, job_id: str, polled: list[FineTuneJob] | None = None) -> FineTuneJob:
        """
        Poll a job each minute until it has finished, and return it.

        :param polled: takes each answer.
        :raises CannotTellError: if it takes too long.
        """
        for _ in range(MAX_POLLS):
            try:
                job = self.hook.describe(job_id)
            except UnreachableError as error:
                self._say(f"  {error}")
            else:
                if polled is not None:
                    polled.append(job)
                if job.is_finished:
                    return job
                self._say(f"  job {job_id}: {job.state}; next poll in {POLL_SECONDS} s")
            self._sleep(POLL_SECONDS)
        raise CannotTellError(f"job {job_id} has not finished after {MAX_POLLS} polls")

    def is_own(self, job_id: str) -> bool:
        """Return whether this run has started a job."""
        return job_id in self._jobs

    # --- Cleaning up -----------------------------------------------------------------------------

    def clean_up(self) -> list[str]:
        """
        Remove everything that this run has created.

        A Ctrl-C skips the present step only.

        :return: the SQL for what could not be removed.
        """
        if not self.made:
            return []
        with suppress(KeyboardInterrupt):
            self.hook.close()  # Ctrl-C may have left a statement in it
        return [sql for sql in self._statements() if not self._is_done(sql)]

    def _statements(self) -> Iterator[str]:
        """Yield the SQL that removes what this run has created."""
        yield from map(cancel_job_sql, self._running_jobs())
        # Now no other job can make a model.
        for model in self._models():
            yield f"DROP MODEL IF EXISTS {model}"
        yield f"DROP TABLE IF EXISTS {self.table}"
        yield f"DROP DATASET IF EXISTS {self.dataset}"
        yield f"DROP FUNCTION IF EXISTS {self.alias}{model_alias.TYPES}"

    def _running_jobs(self) -> list[str]:
        """
        Return the unfinished jobs that use this run's table.

        They are searched: Ctrl-C may have come before the answer to CREATE.
        """
        try:
            listed = self.hook.show(skip_unreadable=True)
            ids = [job.id for job in listed if not job.is_finished]
            found = self.hook.jobs().describe(*ids)
        except (CortexError, KeyboardInterrupt):
            return self._jobs
        return [
            job_id
            for job_id, job in found.items()
            if self.is_own(job_id)
            or (isinstance(job, FineTuneJob) and self.table in (job.training_data or ""))
        ]

    def _models(self) -> list[str]:
        """Return the models whose names begin with this run's, without database and schema."""
        call = Call("SHOW MODELS LIKE %s", (f"{self.model}%",), only_reads=True)
        try:
            answer = self.hook.answer(call, about="list the models to drop")
        except (CortexError, KeyboardInterrupt):
            return [self.model]
        column = [title.lower() for title in answer.columns].index("name")
        names = [str(row[column]) for row in answer.rows]
        return [name for name in names if name.upper().startswith(self.model)]

    def _is_done(self, sql: str) -> bool:
        try:
            self.hook.run_once(Call(sql, ()), about="clean up")
        except (CortexError, KeyboardInterrupt):
            return False
        return True

    def _mark(self, query: str) -> str:
        """Return a query with a comment, as CortexFineTuneOperator appends it."""
        owner = Owner(
            deployment="",
            dag_id="make_live",
            task_id="check",
            run_id=self.model,
            map_index=-1,
            call=self.model,
        )
        return owner.mark(query)
