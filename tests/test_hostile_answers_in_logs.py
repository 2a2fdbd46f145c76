"""What Cortex sends can neither fold nor fake lines of a task's log, nor control a terminal."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.safe_text import excerpt, for_log, for_terminal
from tests.tasks import ask, cancel, causes, fine_tune, wait
from tests.worker import MODES, Result, Worker

FAKE = "[fake] INFO - all is well"

HOSTILE = f"P::group::Q ::endgroup:: ##[group]R \x1b]0;title\x07\x9b31m \u202edesrever\n{FAKE}"

SHOWN = r"P\x3a:group::Q"
"""How a log shows its beginning."""

OBEYED = ("::group::", "::endgroup::", "##[group]", "\x1b", "\x07", "\x9b", "\u202e")


@pytest.fixture
def log(connection: str, log_lines: Callable[[], list[str]]) -> Callable[[Result], str]:
    """Return what a task has logged, its error and all causes of it: all of it is safe."""

    def read(result: Result) -> str:
        lines = [*log_lines(), *causes(result).splitlines()]
        assert not [line for line in lines for text in OBEYED if text in line]
        assert not [line for line in lines if line.startswith(FAKE)]
        return "\n".join(lines)

    return read


def answered(emulator: Emulator, *, looks: int | None = None, **fields: Any) -> str:
    """Let DESCRIBE answer with these fields; return the job's id."""
    job = emulator.jobs.add(model="m")
    emulator.jobs.answer(job.id, json.dumps({"id": job.id} | fields), looks=looks)
    return job.id


@pytest.mark.parametrize("mode", MODES)
def test_an_unknown_status_is_shown_and_not_obeyed(
    mode: str, cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """The warning, the lines of progress and the error at the end show a status as it is."""
    job_id = answered(cortex_emulator, looks=3, status=HOSTILE, progress=0.5)
    result = wait(worker, mode, finetune_job_id=job_id)
    assert result.state == "success"
    assert log(result).count(SHOWN) >= 2


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_job_s_error_is_shown_and_not_obeyed(
    mode: str, cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """The error that ends the task shows Cortex's code and message."""
    error = {"code": HOSTILE, "message": HOSTILE}
    job_id = answered(cortex_emulator, status="ERROR", error=error)
    result = wait(worker, mode, finetune_job_id=job_id)
    assert result.state == "failed"
    assert log(result).count(SHOWN) >= 2


def test_a_model_s_name_is_shown_and_not_obeyed_and_its_xcom_is_exact(
    cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """The log has a safe name of the model; what is passed downstream is Cortex's."""
    job_id = answered(cortex_emulator, status="SUCCESS", model=HOSTILE, base_model=HOSTILE)
    result = wait(worker, finetune_job_id=job_id)
    assert SHOWN in log(result)
    assert result.xcoms["return_value"] == HOSTILE
    assert result.xcoms["finetune_job"]["base_model"] == HOSTILE


def test_an_unreadable_answer_is_shown_and_not_obeyed(
    cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """An answer that is no job is quoted in the error."""
    job_id = cortex_emulator.jobs.add(model="m").id
    cortex_emulator.jobs.answer(job_id, HOSTILE)
    result = worker.run(lambda: cancel(job_id))
    assert result.state == "up_for_retry"
    assert SHOWN in log(result)


def test_snowflake_s_error_and_its_cause_are_shown_and_not_obeyed(
    cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """A traceback shows the driver's error, too, which has Snowflake's text."""
    cortex_emulator.faults.add("error", code=2003, sqlstate="42S02", message=HOSTILE)
    result = worker.run(lambda: cancel("ft_1"))
    assert result.state == "failed"
    assert log(result).count(SHOWN) >= 2


def test_a_reused_job_s_status_is_shown_and_not_obeyed(
    cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """A retry logs the job that it adopts, or why it does not."""
    first = worker.run(fine_tune)
    job = json.loads(cortex_emulator.jobs.describe(first.xcoms["return_value"]) or "")
    record = {"id": job["id"], "training_data": job["training_data"], "status": HOSTILE}
    cortex_emulator.jobs.answer(job["id"], json.dumps(record))
    again = worker.run(fine_tune, again=first)
    assert again.xcoms["return_value"] == job["id"]
    assert SHOWN in log(again)
    failed = record | {"status": "ERROR", "error": HOSTILE}
    cortex_emulator.jobs.answer(job["id"], json.dumps(failed))
    another = worker.run(fine_tune, again=first)
    assert another.xcoms["return_value"] != job["id"]
    assert SHOWN in log(another)


def test_a_model_s_answer_is_logged_and_not_obeyed(
    cortex_emulator: Emulator, worker: Worker, log: Callable[[Result], str]
) -> None:
    """With log_answers=True the log has the prompt and the answer, each in one line."""
    cortex_emulator.jobs.add(model="m")
    result = ask(worker, model="llama3.1-8b", prompt=HOSTILE, log_answers=True)
    assert result.state == "success"
    assert f"Prompt: {SHOWN}" in log(result)


def test_a_hook_s_error_keeps_cortex_s_own_text_apart(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Code that catches an error gets Cortex's text as it is: only the message is made safe."""
    error = {"code": "E", "message": HOSTILE}
    with CortexHook(connection) as hook:
        job = hook.describe(answered(cortex_emulator, status="ERROR", error=error))
    assert job.error
    assert job.error.message == HOSTILE


@pytest.mark.parametrize(
    ("text", "terminal", "log_line"),
    [
        ("IN_PROGRESS 33 %", "IN_PROGRESS 33 %", "IN_PROGRESS 33 %"),
        ("Größe 漢 █░ “x”", "Größe 漢 █░ “x”", "Größe 漢 █░ “x”"),
        ("a\n b\r\n\tc", "a b c", "a  b   c"),
        ("\x1b[31m\x9d8;;", r"\x1b[31m\x9d8;;", r"\x1b[31m\x9d8;;"),
        ("\u202e\u2066\u200b\ufeff", r"\u202e\u2066\u200b\ufeff", r"\u202e\u2066\u200b\ufeff"),
        ("\ud800\U000e0001", r"\ud800\U000e0001", r"\ud800\U000e0001"),
        ("x::group::y::endgroup::", None, r"x\x3a:group::y\x3a:endgroup::"),
        ("##[group]x##[endgroup]", None, r"\x23#[group]x\x23#[endgroup]"),
        ("DB::group", "DB::group", "DB::group"),
    ],
)
def test_text_is_readable_and_the_same_if_it_is_made_safe_twice(
    text: str, terminal: str | None, log_line: str
) -> None:
    """Readable characters stay; others become escapes, and line breaks spaces."""
    assert for_terminal(text) == (terminal or text)
    assert for_terminal(for_terminal(text)) == for_terminal(text)
    assert for_log(text) == log_line
    assert for_log(log_line) == log_line


def test_an_excerpt_is_one_line() -> None:
    """A quoted text has no line breaks, and not more characters than can be read."""
    assert excerpt("a\n b") == "a b"
    assert excerpt("x" * 400).endswith("… (400 characters)")
