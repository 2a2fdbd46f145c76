"""Evaluations that die at the moments at which it would cost most to begin anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from threading import Timer
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.operators import CortexEvaluateOperator
from airflow_provider_cortex.tasks.evaluation_steps import Evaluation

ANSWERS, SCORES = 0, 1
"""The statement that asks the models, and the one that scores their answers."""

WHILE_IT_RUNS = 2.0
"""Seconds after Snowflake has accepted a statement: the task polls it."""

TICKETS = """
    SELECT * FROM (VALUES ('red light', 'stop'), ('green light', 'go')) AS t (prompt, expected)
"""


def kill_task(context: Any = None, _result: Any = None) -> None:
    """Kill the task's process; as a callback of Airflow, at the first try."""
    if context is None or context["ti"].try_number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_worker() -> None:
    """Kill the task's process and the worker's process that would report it."""
    os.kill(os.getppid(), signal.SIGKILL)
    kill_task()


class DyingEvaluation(Evaluation):
    """The steps of an evaluation, which dies after it has started one of its statements."""

    die: Callable[[int], None]
    """Called with the number of each statement that Snowflake has accepted."""

    def start(self, statement: Any) -> str:
        """Start a statement, and perhaps die."""
        query_id = super().start(statement)
        self.die(self.statements.index(statement))
        return query_id


class DyingEvaluateOperator(CortexEvaluateOperator):
    """
    The operator, whose process dies at its first try.

    :param dies_after: the statement after whose start it dies.
    :param delay: seconds between that start and the death; 0 for a death before the task stores
        the statement's id.
    :param kill: causes the death.
    """

    def __init__(
        self,
        *,
        dies_after: int,
        delay: float = 0.0,
        kill: Callable[[], None] = kill_task,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dies_after = dies_after
        self.delay = delay
        self.kill = kill
        self.is_first_try = False

    def request(self, context: Any) -> Any:
        """Return what to evaluate, and note whether this is the first try."""
        self.is_first_try = context["ti"].try_number == 1
        return super().request(context)

    def work(self, request: Any, hook: Any) -> Evaluation:
        """Return the steps."""
        work = DyingEvaluation(request, hook, self.log, baseline=None, if_exists=self.if_exists)
        work.die = self.die
        return work

    def die(self, statement: int) -> None:
        """Die if it is time."""
        if self.is_first_try and statement == self.dies_after:
            if not self.delay:
                self.kill()
            Timer(self.delay, self.kill).start()


COMMON: dict[str, Any] = {
    "models": ["CORTEX_DB.PUBLIC.POOR", "CORTEX_DB.PUBLIC.GOOD"],
    "data": TICKETS,
    "prompt_column": "prompt",
    "expected_column": "expected",
    "destination": "{{ task.task_id }}",  # the names of the staging tables begin with it
    "snowflake_conn_id": "snowflake_slow",
    "poke_interval": 1,
    "deferrable": False,
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
}

with DAG(dag_id="killed_evaluations", schedule=None):
    hows: dict[str, dict[str, Any]] = {
        "answers_accepted": {"dies_after": ANSWERS},
        "worker_killed": {"dies_after": ANSWERS, "kill": kill_worker},
        "answers_running": {"dies_after": ANSWERS, "delay": WHILE_IT_RUNS},
        "scores_accepted": {"dies_after": SCORES, "deferrable": True},
        "scores_running": {"dies_after": SCORES, "delay": WHILE_IT_RUNS},
    }
    for task_id, how in hows.items():
        DyingEvaluateOperator(task_id=task_id, **COMMON | how)

    # After execute(), and before Airflow stores its XCom.
    CortexEvaluateOperator(task_id="finished", post_execute=kill_task, **COMMON)
