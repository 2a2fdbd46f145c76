"""Text that cannot be sent unchanged is rejected by the argument's name, and nothing is sent."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from airflow_provider_cortex.cortex.session_settings import SessionSettings
from airflow_provider_cortex.errors import (
    UnsupportedValueError,
)
from airflow_provider_cortex.hooks import CortexHook
from tests import hostile_text
from tests.received_statements import Received
from tests.tasks import ask, start, wait
from tests.worker import MODES, Result, Worker

CREATE = "model", "base_model", "training_data", "validation_data"
COMPLETE = "model", "prompt"


def assert_rejected(result: Result, argument: str, received: Received) -> None:
    """Check that a task names the argument, is not retried, and has sent nothing."""
    assert result.state == "failed", result
    assert str(result.error).startswith(f"{argument} "), result
    assert received.all() == []
    assert received.emulator.logins == 0


def test_starting_a_job_rejects_unsendable_text(received: Received, worker: Worker) -> None:
    """What no statement can carry is rejected by the argument's name, and nothing is sent."""
    for problem, text in hostile_text.unsendable():
        for argument, value in (
            *((name, text) for name in CREATE),
            ("options", {text: 1}),
            ("options", {"deep": [{"a": text}]}),
        ):
            result = start(worker, **{argument: value})
            assert_rejected(result, argument, received)
            assert problem in str(result.error)


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_asking_a_model_rejects_unsendable_text_without_showing_it(
    function: str, received: Received, worker: Worker
) -> None:
    """The same for everything that a model is asked with; the error shows nothing of it."""
    for problem, bad in hostile_text.unsendable():
        text = f"hush{bad}"
        for argument, value in (
            *((name, text) for name in COMPLETE),
            ("model_parameters", {text: 1}),
            ("model_parameters", {"stop": [text]}),
            ("response_format", {"schema": {"properties": {text: {}}}}),
        ):
            result = ask(worker, function=function, **{argument: value})
            assert_rejected(result, argument, received)
            assert problem in str(result.error)
            assert "hush" not in str(result.error)


def test_a_sensor_rejects_an_unsendable_id_in_every_mode(
    received: Received, worker: Worker
) -> None:
    """The same for the id of the job that a sensor waits for, in every mode."""
    for problem, text in hostile_text.unsendable():
        for mode in MODES:
            result = wait(worker, mode, finetune_job_id=text)
            assert_rejected(result, "finetune_job_id", received)
            assert problem in str(result.error)


def test_the_hook_rejects_an_unsendable_id(received: Received) -> None:
    """The hook's own methods reject it by name, too."""
    hook = CortexHook()
    for problem, text in hostile_text.unsendable():
        for call in (
            lambda text=text: hook.describe(text),
            lambda text=text: hook.jobs().describe("ft_1", text),
            lambda text=text: hook.cancel(text),
        ):
            with pytest.raises(UnsupportedValueError, match=f"^finetune_job_id .*{problem}"):
                call()
    assert received.all() == []
    assert received.emulator.logins == 0


def test_blank_text_is_rejected(received: Received, worker: Worker) -> None:
    """Blank text is rejected by the argument's name, also in an optional argument."""
    for text in hostile_text.BLANK:
        assert_rejected(wait(worker, finetune_job_id=text), "finetune_job_id", received)
        for argument in COMPLETE:
            assert_rejected(ask(worker, **{argument: text}), argument, received)
        for argument in CREATE:
            assert_rejected(start(worker, **{argument: text}), argument, received)


def test_values_of_a_wrong_type_are_rejected(received: Received, worker: Worker) -> None:
    """What is no text, no mapping, or has no JSON form is rejected by the argument's name."""
    for argument, value in (
        ("validation_data", ["SELECT 1"]),
        ("validation_data", {"query": "SELECT 1"}),
        ("options", "max_epochs: 3"),
        ("options", "[3]"),
        ("options", ""),
        ("options", [3]),
        ("options", {"max_epochs": {3}}),
        ("options", {"max_epochs": float("nan")}),
        ("options", {b"max_epochs": 3}),
    ):
        assert_rejected(start(worker, **{argument: value}), argument, received)
    with pytest.raises(UnsupportedValueError, match=r"^prompt .*JSON"):
        CortexHook().complete("m", [{"role": "user", "content": b"p"}])


def test_session_settings_reject_unsendable_text() -> None:
    """Text that no login can carry is rejected by the setting's name."""
    for problem, text in hostile_text.unsendable():
        for argument, value in in_each_setting(text):
            with pytest.raises(UnsupportedValueError, match=f"^{argument} .*{problem}"):
                SessionSettings(**{argument: value})


def test_a_task_with_unsendable_settings_does_not_log_in(
    received: Received, worker: Worker
) -> None:
    """The same for a task's session settings: no retry, and no login."""
    for text, *_ in hostile_text.UNSENDABLE.values():
        for argument, value in in_each_setting(text):
            if argument == "query_tag":  # which a task writes itself
                continue
            settings = {argument: value}
            assert_rejected(start(worker, **settings), argument, received)
            assert_rejected(ask(worker, **settings), argument, received)
            assert_rejected(wait(worker, finetune_job_id="ft_1", **settings), argument, received)


def in_each_setting(text: str) -> Iterator[tuple[str, Any]]:
    """Return each of a session's settings with a value that contains *text*."""
    for setting in fields(SessionSettings):
        if setting.name == "session_parameters":
            yield setting.name, {text: 1}
            yield setting.name, {"QUERY_TAG": text}
        else:
            yield setting.name, text
