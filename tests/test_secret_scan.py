"""The secret scan that ends every test finds secrets everywhere; and tasks leak none."""

import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexCompleteOperator, CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import CortexFineTuneTrigger
from tests.secret_scan import (
    ERRORS,
    EVENTS,
    FIELDS,
    LOGS,
    OUTPUT,
    PASSWORD,
    TOKEN,
    TRIGGERS,
    XCOMS,
    Leftovers,
)
from tests.worker import MODES, Worker, in_mode, stored
from tests.xcoms import XComs


class Leaky(BaseOperator):
    """A task that leaks a secret."""

    template_fields: Sequence[str] = ("shown",)

    def __init__(self, *, shown: object = None, leak: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(task_id="leaky", **kwargs)
        self.shown = shown
        self.leak = leak

    def execute(self, context: Any) -> Any:
        return self.leak(self, context["ti"])


def fail(*_: object) -> None:
    """Fail for a reason that the last error does not show."""
    try:
        raise_secret()
    except ValueError:
        raise RuntimeError("something went wrong") from None


def raise_secret() -> None:
    raise ValueError(TOKEN)


def log_failure(logger: logging.Logger) -> None:
    """Log an error with its traceback."""
    try:
        raise_secret()
    except ValueError:
        logger.exception("something went wrong")


TASKS: dict[str, tuple[Callable[[Leaky, Any], Any], set[str]]] = {
    "printed": (lambda *_: sys.stdout.write(PASSWORD) and None, {OUTPUT}),
    "printed to stderr": (lambda *_: sys.stderr.write(TOKEN) and None, {OUTPUT}),
    "pushed": (lambda _, ti: ti.xcom_push("key", {"deep": [PASSWORD]}), {XCOMS}),
    "returned": (lambda *_: TOKEN, {XCOMS}),
    "put into a field": (lambda task, _: setattr(task, "shown", {"a": PASSWORD}), {FIELDS}),
    "raised": (fail, {ERRORS}),
}


@pytest.mark.parametrize("name", TASKS)
def test_leaks_of_tasks_are_found(name: str, no_secret_left: Leftovers, worker: Worker) -> None:
    """A secret is found in what a task prints, pushes, shows and raises."""
    leak, no_secret_left.expected = TASKS[name]
    worker.run(lambda: Leaky(leak=leak))


def test_leaks_of_tasks_logs_are_found(
    no_secret_left: Leftovers, connection: str, worker: Worker
) -> None:
    """A secret is found in a task's log, although Airflow would have masked it."""

    def leak(task: Leaky, _: Any) -> None:
        password = BaseHook.get_connection(connection).password
        assert password == PASSWORD
        task.log.info("logging in with %s", password)

    worker.run(lambda: Leaky(leak=leak))
    # Since Airflow 3.1, a task's logger prints without making a record.
    makes_records = isinstance(Leaky(leak=leak).log, logging.Logger)
    no_secret_left.expected = {LOGS, OUTPUT} if makes_records else {OUTPUT}


@pytest.mark.parametrize("name", ["airflow.task", "airflow_provider_cortex", "another.package"])
@pytest.mark.parametrize(
    "leak",
    [
        lambda logger: logger.warning("with %s", PASSWORD),
        lambda logger: logger.warning({"password": PASSWORD}),
        lambda logger: logger.warning("%s and %d", PASSWORD, "no number"),
        log_failure,
    ],
)
def test_leaks_of_loggers_are_found(
    name: str,
    leak: Callable[[logging.Logger], None],
    no_secret_left: Leftovers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret is found in any record's arguments and traceback, even without a handler."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger = logging.getLogger(name)
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
    leak(logger)
    no_secret_left.expected = {LOGS}


def test_leaks_of_triggers_are_found(no_secret_left: Leftovers, xcoms: XComs) -> None:
    """A secret is found in a trigger's arguments and XComs."""
    session = {"session_parameters": {"deep": [PASSWORD]}}
    stored(CortexFineTuneTrigger(finetune_job_id="ft_1", session=session, started_at=0, deadline=1))
    xcoms["kept"] = TOKEN
    no_secret_left.expected = {TRIGGERS, XCOMS}


def test_leaks_of_events_are_found(
    no_secret_left: Leftovers, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A secret is found in the event that resumes a task."""
    job = cortex_emulator.jobs.add(model="A.B.C", life=Life.by_looks(2))
    worker.event = lambda _: {"secret": PASSWORD}
    worker.run(
        lambda: CortexFineTuneSensor(
            task_id="wait", finetune_job_id=job.id, **in_mode("deferrable")
        )
    )
    no_secret_left.expected = {EVENTS, ERRORS}


EXTRAS: dict[str, dict[str, Any]] = {
    "password": {},
    "an OAuth token": {"authenticator": "oauth", "token": TOKEN},
    "a refresh token": {"authenticator": "oauth", "refresh_token": TOKEN},
    "an invalid key": {"private_key_content": TOKEN},
    "a programmatic access token": {"authenticator": "programmatic_access_token", "token": TOKEN},
}


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("is_rejected", [False, True])
def test_no_task_leaks_its_credentials(
    *, is_rejected: bool, extra: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """Whatever a connection logs in with, accepted or rejected: no task leaks it."""
    settings = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    settings["extra"] |= EXTRAS[extra]
    if EXTRAS[extra].get("refresh_token"):
        settings["extra"]["token_endpoint"] = f"http://127.0.0.1:{cortex_emulator.port}/oauth"
    os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"] = json.dumps(settings)
    if is_rejected:
        cortex_emulator.password = cortex_emulator.token = "another"
    job = cortex_emulator.jobs.add(model="A.B.C")
    for mode in MODES:
        worker.run(
            lambda mode=mode: CortexFineTuneSensor(  # type: ignore[misc]
                task_id="wait",
                finetune_job_id=job.id,
                contact_timeout=0.1,
                poke_interval=0.01,
                **in_mode(mode),
            )
        )
    worker.run(lambda: CortexCompleteOperator(task_id="ask", model="A.B.C", prompt="p"))
    worker.run(
        lambda: CortexFineTuneOperator(
            task_id="start", model="m", base_model="llama3.1-8b", training_data="SELECT 1"
        )
    )
