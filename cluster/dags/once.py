"""Start jobs with tasks that die at the worst moment: Cortex has accepted the job, and Airflow knows nothing."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.operators import CortexFineTuneOperator

STORE = "task_state_store"


def kill_task(context: Any, _result: Any = None) -> None:
    """Die at the first try."""
    if context["ti"].try_number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_worker(context: Any, _result: Any = None) -> None:
    """Die at the first try, and take the worker's process along that would tell Airflow."""
    if context["ti"].try_number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class WithoutStore(CortexFineTuneOperator):
    """As before Airflow 3.3, which has a task state store: the comment in the query is the only proof."""

    def execute(self, context: Any) -> str:
        """Start the job, unless an earlier try has."""
        without: Any = {name: value for name, value in context.items() if name != STORE}
        return super().execute(without)


with DAG(dag_id="once", schedule=None):
    for death in (kill_task, kill_worker):
        CortexFineTuneOperator(
            task_id=death.__name__,
            model=death.__name__,
            base_model="llama3.1-8b",
            training_data=f"SELECT '{death.__name__}' AS prompt, 'retry' AS completion",
            retries=1,
            retry_delay=timedelta(seconds=1),
            post_execute=death,  # after execute(), and before its XCom
        )

    # All of them, and those of the other run, ask for the same.
    WithoutStore.partial(
        task_id="kill_mapped",
        base_model="llama3.1-8b",
        training_data="SELECT 'mapped' AS prompt, 'retry' AS completion",
        retries=1,
        retry_delay=timedelta(seconds=1),
        post_execute=kill_task,
    ).expand(model=["mapped_a", "mapped_b", "mapped_c"])
