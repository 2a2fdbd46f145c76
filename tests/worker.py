"""
A worker, a scheduler and a triggerer, as a task sees them.

They do with a task what Airflow does: run it, reschedule it, defer it, write its trigger into the
database, read it again, and resume the task with the event. But no time passes. Real Airflow runs
the same sensor in test_example_dags.py and in ``make demo``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeVar

from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseOperator,
    TaskDeferred,
)

from airflow_provider_cortex.airflow_api.compat import AIRFLOW_VERSION, IS_AIRFLOW_3
from airflow_provider_cortex.triggers import CortexFineTuneTrigger, CortexQueryTrigger
from tests.clock import Clock, KilledError
from tests.secret_scan import ERRORS, EVENTS, FIELDS, TRIGGERS, XCOMS, chain, leftovers

AIRFLOW_2 = not IS_AIRFLOW_3
if AIRFLOW_2:
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.session import create_session
    from sqlalchemy import text

CONTEXT: Any = importlib.import_module(
    "airflow.utils.context" if AIRFLOW_2 else "airflow.sdk.execution_time.context"
)
TIMEOUT: Any = importlib.import_module(
    "airflow.utils.timeout" if AIRFLOW_VERSION < (3, 1) else "airflow.sdk.execution_time.timeout"
)

SLEEP = "airflow_provider_cortex.tasks.staged_task.time.sleep"
"""How a worker pauses between two polls of a statement."""

TAKE_OVER = 30.0
"""Seconds until another triggerer runs the triggers of one that died."""

Trigger = TypeVar("Trigger", CortexFineTuneTrigger, CortexQueryTrigger)

MODES = ("poke", "reschedule", "deferrable")


def in_mode(mode: str) -> dict[str, Any]:
    """Return the arguments that put a sensor into *mode*."""
    if mode == "deferrable":
        return {"deferrable": True}
    return {"deferrable": False, "mode": mode}


def dag_run(began: datetime | None = None, **changes: Any) -> Any:
    """Return the facts of a DAG run that a task may read: a weekly run that started when due."""
    began = began or datetime.now(tz=UTC)
    due = (
        {"run_after": began}
        if not AIRFLOW_2
        else {"data_interval_end": began, "logical_date": None}
    )
    facts = {"start_date": began, "clear_number": 0, "run_type": "scheduled", **due}
    return SimpleNamespace(**facts | changes)


class Store(dict[str, Any]):
    """The task state store of Airflow 3.3: values that outlive a task's process and try."""

    def set(self, key: str, value: object) -> None:
        """Keep a value that is JSON: Airflow rejects others, such as tuples."""
        self[key] = as_json(value)
        assert self[key] == value


def as_json(value: object) -> Any:
    """Return a value in the JSON form in which Airflow keeps it."""
    kept = json.dumps(value, allow_nan=False)
    leftovers.leave(XCOMS, kept)
    return json.loads(kept)


@dataclass
class Instance:
    """The part of a task instance that a task may use."""

    task: BaseOperator
    dag_id: str = "tickets"
    run_id: str = field(default_factory=lambda: f"weekly_{uuid.uuid4()}")
    map_index: int = -1
    max_tries: int = 0
    start_date: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    xcoms: dict[str, Any] = field(default_factory=dict)
    rescheduled_on: datetime | None = None
    earlier: Sequence[tuple[str, Any]] = ()
    """Earlier runs of the task, the latest last: the state of each, and its finetune_job."""
    try_number: int = 1
    dag_run: Any = field(default_factory=dag_run)
    returned: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """What other task instances of the run have returned, by task id."""
    store: Store | None = field(default_factory=lambda: None if AIRFLOW_2 else Store())
    outlet_events: Any = None
    """The asset events that the last of its processes emits if the task succeeds."""

    def __post_init__(self) -> None:
        if self.rescheduled_on:
            self.remember_reschedule(self.rescheduled_on)

    @property
    def task_id(self) -> str:
        return self.task.task_id

    def xcom_push(self, key: str, value: object) -> None:
        """Keep an XCom, in the JSON form in which Airflow would; Airflow 3.0 rejects None."""
        assert value is not None
        self.xcoms[key] = as_json(value)

    def again(self, task: BaseOperator) -> Instance:
        """Return its next try, which has none of the XComs."""
        return replace(self, task=task, xcoms={}, try_number=self.try_number + 1)

    def xcom_pull(
        self,
        *,
        task_ids: str | Sequence[str],
        key: str = "return_value",
        map_indexes: int | None = None,
        include_prior_dates: bool = False,
        run_id: int | None = None,
    ) -> Any:
        """
        Return what an earlier run has pushed, as Airflow does: the latest run, or *run_id*.

        For a list of tasks: what they have returned in this run.
        """
        if not isinstance(task_ids, str):
            assert (key, map_indexes, run_id) == ("return_value", None, None)
            own = [self.xcoms[key]] if self.task_id in task_ids and key in self.xcoms else []
            return own + [value for task in task_ids for value in self.returned.get(task, ())]
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        if key != "finetune_job":
            return self.xcoms.get(key)
        assert include_prior_dates or run_id is not None
        if not self.earlier:
            return None
        return self.earlier[-1 if run_id is None else run_id][1]

    def last(self, state: str) -> int | None:
        """Return the latest earlier run that ended in *state*."""
        return next((n for n, run in reversed([*enumerate(self.earlier)]) if run[0] == state), None)

    if AIRFLOW_2:

        def get_previous_ti(self, state: str) -> Any:
            run_id = self.last(state)
            return None if run_id is None else Earlier(self, run_id)

        def remember_reschedule(self, began: datetime) -> None:
            """Write the start of a poll into Airflow's database, where its sensors read it."""
            make: Any = TaskReschedule  # Airflow 3's takes other arguments
            row = make(
                task_id=self.task_id,
                dag_id=self.dag_id,
                run_id=self.run_id,
                try_number=1,
                start_date=began,
                end_date=began,
                reschedule_date=began,
            )
            with create_session() as session:
                # The task instance of the row does not exist.
                session.execute(text("PRAGMA foreign_keys = OFF"))
                session.add(row)

    else:

        def get_previous_dagrun(self, state: str) -> Any:
            run_id = self.last(state)
            return None if run_id is None else SimpleNamespace(run_id=run_id)

        def remember_reschedule(self, began: datetime) -> None:
            """Keep the start of the first poll."""
            self.rescheduled_on = self.rescheduled_on or began

        def get_first_reschedule_date(self, context: Mapping[str, Any]) -> datetime | None:
            asker: Instance = context["ti"]
            return asker.rescheduled_on


@dataclass(frozen=True)
class Earlier:
    """An earlier instance of the same task, as Airflow 2 returns it."""

    instance: Instance
    run_id: int

    def xcom_pull(self, **which: Any) -> Any:
        """Return what that run has pushed."""
        return self.instance.xcom_pull(run_id=self.run_id, **which)


@dataclass(frozen=True)
class Result:
    """How a task ended."""

    state: str
    """Airflow's word; up_for_retry is every failure after which Airflow may retry."""
    xcoms: Mapping[str, Any]
    error: BaseException | None = None
    deferrals: int = 0
    clock: Clock = field(default_factory=Clock)
    instance: Instance = field(kw_only=True)

    def __str__(self) -> str:
        return f"{self.state}: {self.error!r}"


class Worker:
    """Runs one task after another."""

    event: Callable[[object], object] = staticmethod(lambda event: event)
    """Lets a test change the event on its way."""

    lives: Sequence[int] = ()
    """How many times each triggerer sleeps before it dies; the next one does not die."""

    def run(
        self, make_task: Callable[[], BaseOperator], *, again: Result | None = None, **facts: Any
    ) -> Result:
        """
        Run a task to its end; *make_task* parses the DAG file, once for each process.

        :param again: the result of an earlier try.
        :param facts: fields of the task instance.
        """
        clock = Clock()
        task = make_task()
        instance = again.instance.again(task) if again else Instance(task)
        if facts:
            instance = replace(instance, **facts)
        resume: tuple[str, dict[str, Any]] | None = None
        deferrals = 0
        error: BaseException | None = None
        while True:
            try:
                value = self._run_once(instance, resume)
            except TaskDeferred as deferred:
                deferrals += 1
                event = self.event(self._fire(deferred.trigger, clock))
                resume = (deferred.method_name, {**(deferred.kwargs or {}), "event": event})
                leftovers.leave(EVENTS, repr(resume))
                instance.task = make_task()
                continue
            except AirflowRescheduleException:
                instance.remember_reschedule(instance.start_date)
                instance.task = make_task()
                continue
            except AirflowSkipException as skip:
                state, error = "skipped", skip
            except (AirflowFailException, AirflowSensorTimeout) as failure:
                state, error = "failed", failure
            except (Exception, AirflowTaskTimeout) as failure:  # noqa: BLE001 - as Airflow does
                state, error = "up_for_retry", failure
            else:
                state = "success"
                if value is not None:
                    instance.xcom_push("return_value", value)
            assert_no_cycle(error)
            leftovers.leave(ERRORS, chain(error))
            return Result(state, instance.xcoms, error, deferrals, clock, instance=instance)

    def _fire(self, trigger: Trigger, clock: Clock) -> object:
        """Run a trigger in one triggerer after the other, each time as the database has it."""
        for life in self.lives:
            clock.dies_after = len(clock.slept) + life
            with contextlib.suppress(KilledError):
                return fire(trigger, clock)
            clock.now += TAKE_OVER
        clock.dies_after = math.inf
        return fire(trigger, clock)

    def _run_once(self, instance: Instance, resume: tuple[str, dict[str, Any]] | None) -> object:
        task = instance.task
        instance.outlet_events = CONTEXT.OutletEventAccessors()
        context: Any = {
            "ti": instance,
            "task": task,
            "dag_run": instance.dag_run,
            "outlet_events": instance.outlet_events,
        }
        if instance.store is not None:
            context["task_state_store"] = instance.store
        limit = task.execution_timeout
        if resume is not None:
            # As Airflow 3.0 and 3.1 do, which forget when the task started.
            instance.start_date = datetime.now(tz=UTC)
        try:
            with TIMEOUT.timeout(limit.total_seconds()) if limit else contextlib.nullcontext():
                if resume is None:
                    return task.execute(context)
                return task.resume_execution(*resume, context)
        finally:
            leftovers.leave(FIELDS, repr([getattr(task, name) for name in task.template_fields]))


def assert_no_cycle(error: BaseException | None) -> None:
    """Check that no error is among its own causes: some Airflow releases cannot log that."""
    seen: list[BaseException] = []
    while error is not None:
        assert error not in seen
        seen.append(error)
        error = error.__cause__


def stored(trigger: Trigger) -> Trigger:
    """Write a trigger into Airflow's database, and read it in a triggerer."""
    path, arguments = trigger.serialize()
    assert path == f"airflow_provider_cortex.triggers.{type(trigger).__name__}"
    kept = json.dumps(arguments, allow_nan=False)
    leftovers.leave(TRIGGERS, kept)
    return type(trigger)(**json.loads(kept))


def fire(trigger: Trigger, clock: Clock, ti: Any = None) -> object:
    """Run a trigger in a triggerer, and return the payload of its one event."""
    trigger = stored(trigger)
    trigger.clock = clock
    trigger.task_instance = ti

    async def events() -> list[object]:
        return [event.payload async for event in trigger.run()]

    payloads = asyncio.run(events())
    assert len(payloads) == 1, payloads
    kept = json.dumps(payloads[0], allow_nan=False)
    leftovers.leave(EVENTS, kept)
    return json.loads(kept)
