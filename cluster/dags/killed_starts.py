"""Tasks that die after Cortex has accepted their job, and before Airflow stores its id."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.operators import CortexFineTuneOperator

TASK_STATE_STORE = "task_state_store"


def kill_task(context: Any, _result: Any = None) -> None:
    """Kill the task's process at the first try."""
    if context["ti"].try_number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_worker(context: Any, _result: Any = None) -> None:
    """Kill the task's process and the worker's process that would report it, at the first try."""
    if context["ti"].try_number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class FineTuneWithoutStore(CortexFineTuneOperator):
    """The operator before Airflow 3.3: only the comment in the query proves whose job it is."""

    def execute(self, context: Any) -> str:
        """Start the job, unless an earlier try has."""
        without_store: Any = {
            name: value for name, value in context.items() if name != TASK_STATE_STORE
        }
        return super().execute(without_store)


with DAG(dag_id="killed_starts", schedule=None):
    for kill in (kill_task, kill_worker):
        CortexFineTuneOperator(
            task_id=kill.__name__,
            model=kill.__name__,
            base_model="llama3.1-8b",
            training_data=f"SELECT '{kill.__name__}' AS prompt, 'retry' AS completion",
            retries=1,
            retry_delay=timedelta(seconds=1),
            post_execute=kill,  # after execute(), and before Airflow stores its XCom
        )

    # All mapped tasks of both runs use the same training data.
    FineTuneWithoutStore.partial(
        task_id="kill_mapped",
        base_model="llama3.1-8b",
        training_data="SELECT 'mapped' AS prompt, 'retry' AS completion",
        retries=1,
        retry_delay=timedelta(seconds=1),
        post_execute=kill_task,
    ).expand(model=["mapped_a", "mapped_b", "mapped_c"])
