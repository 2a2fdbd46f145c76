"""What Cortex sends is shown in a terminal, and never obeyed; JSON and YAML have it exactly."""

import io
import json
from typing import Any

import pytest
from airflow.utils import yaml
from rich.console import Console

from airflow_provider_cortex.emulator import Emulator
from tests.cli.runner import Clock, Run

HOSTILE = "PAUSED\x1b]0;title\x07\x9b31m\x1b]8;;https://example.com\x07\u202e"
SHOWN = r"PAUSED\x1b]0;title\x07\x9b31m\x1b]8;;https://example.com\x07\u202e"

FIELDS: dict[str, Any] = {
    "status": HOSTILE,
    "model": HOSTILE,
    "error": HOSTILE,
    "new field": [HOSTILE],
    HOSTILE: 1,
}


@pytest.fixture
def job_id(cortex_emulator: Emulator) -> str:
    """Return the id of a job with hostile text in every field."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(job.id, json.dumps({"id": job.id} | FIELDS))
    return job.id


@pytest.mark.parametrize("form", ["table", "plain"])
@pytest.mark.parametrize("command", ["list", "describe"])
def test_a_table_shows_what_a_terminal_would_obey(
    command: str, form: str, job_id: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape sequences and marks that turn the writing direction are shown as escapes."""
    monkeypatch.setenv("COLUMNS", "1000")
    arguments = (job_id,) if command == "describe" else ()
    result = run(command, *arguments, "-o", form)
    assert SHOWN in result.out
    assert "".join(result.out.splitlines()).isprintable()


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_json_and_yaml_are_exact_and_printable(form: str, read: Any, job_id: str, run: Run) -> None:
    """Both formats have escapes of their own, so that a script reads what Cortex sent."""
    result = run("describe", job_id, "-o", form)
    (record,) = read(result.out)
    assert {name: record[name] for name in FIELDS} == FIELDS
    assert "".join(result.out.splitlines()).isprintable()


def test_a_watch_in_a_terminal_shows_an_unknown_status(job_id: str, run: Run) -> None:
    """The terminal of a watch gets the spinner's own sequences, and none of Cortex's."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=1000, color_system=None)
    result = run("watch", job_id, "--timeout", "20", console=console, **Clock().options)
    assert result.status == 5
    assert screen.getvalue().count(SHOWN) == 2
    for sequence in ("\x1b]", "\x07", "\x9b", "\u202e"):
        assert sequence not in screen.getvalue() + result.out + result.err
    assert SHOWN in result.err


def test_the_question_before_a_cancel_is_shown_and_not_obeyed(
    job_id: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user who confirms reads the job's real name and status."""
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return "n"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    assert run("cancel", job_id).status == 1
    assert questions[0].count(SHOWN) == 2
    assert questions[0].isprintable()
