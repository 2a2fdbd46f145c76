"""Start jobs with tasks that die at the worst moment: Cortex has taken the job on, and Airflow knows nothing."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.operators import CortexFineTuneOperator


def kill_task(context: Any, _result: Any = None) -> None:
    """Die at the first try."""
    if context["ti"].try_number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_worker(context: Any, _result: Any = None) -> None:
    """Die at the first try, and take the worker's process along that would tell Airflow."""
    if context["ti"].try_number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


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
