"""What the checks find on the emulator, as it is and with faults."""

import pytest

from airflow_provider_cortex.emulator import Life
from live.account import EPOCHS
from live.check import CHECKS
from live.register import read_guesses
from tests.live.runs import tables

pytestmark = pytest.mark.slow

OTHER_MODEL = "CORTEX_DB.PUBLIC.OTHER"

CANNOT_TELL = {
    "name-suffix": "names no model",
    "progress-steps": "no poll fell in between",
    "session-gone": "SYSTEM$ABORT_SESSION",
    "unknown-status": "all statuses are documented",
}
"""What the emulator does not show, and the reason in the report."""

UNCHECKED = {guess.id for guess in read_guesses().values() if guess.no_check}


def test_the_emulator_behaves_as_guessed(live, cortex_emulator):
    """Each check confirms its guess on the emulator, or says why it could not tell."""
    cortex_emulator.jobs.add(model=OTHER_MODEL)
    result = live("--yes")
    unclear = {guess_id for guess_id, said in result.verdicts.items() if said == "could not tell"}
    assert unclear == CANNOT_TELL.keys() | UNCHECKED
    assert result.verdicts.keys() == read_guesses().keys()
    assert "refuted" not in result.verdicts.values()
    assert result.status == 0
    for guess_id, reason in CANNOT_TELL.items():
        assert reason in result.entry(guess_id)


def test_one_job_trains_for_all_checks_and_nothing_is_left(live, cortex_emulator):
    """All checks together train one model; the other jobs are cancelled or fail."""
    result = live("--yes")
    assert sorted(state.status for _, state in cortex_emulator.jobs.all()) == [
        "CANCELLED",
        "ERROR",
        "ERROR",
        "ERROR",
        "ERROR",
        "SUCCESS",
    ]
    assert "Removed everything." in result.progress
    assert tables(cortex_emulator) == []
    assert cortex_emulator.jobs.models() == {}


def limit_calls(emulator):
    emulator.calls_per_statement = 10


def lengthen_jobs(emulator):
    emulator.life = Life.by_looks(EPOCHS)


def fault(kind, **options):
    return lambda emulator: emulator.faults.add(kind, **options)


def record(*, share=None, requests=None, remove=(), **changes):
    return fault("record", set=changes, remove=list(remove), share=share, requests=requests)


DIFFERENT = {
    "many-calls": (limit_calls, "20 calls in one statement: error 1795"),
    "own-comment": (record(training_data="SELECT 1"), "returned: SELECT 1"),
    "null-validation": (fault("error", share=1 / 3, requests=1), "CREATE: error 603"),
    "unknown-job-error": (fault("error", share=1 / 2, requests=1), "error 603 (XX000)"),
    "other-jobs": (fault("vanish"), "0 of 1 other jobs were described, 1 rejected: "),
    "cancelled-finished-on": (record(remove=["finished_on"]), "finished_on: None"),
    "options-if-given": (record(options={}), "without: {}"),
    "name-suffix": (record(model="DB.S.OTHER"), "became OTHER"),
    "epochs-fail-job": (fault("error", share=1 / 3, requests=1), "CREATE: error 603"),
    "rows-required": (record(status="SUCCESS"), "the job ended: SUCCESS"),
    "progress-steps": (record(progress=0.5), "the progress was 0.500"),
    "cancel-finished": (record(status="CANCELLED", share=0.25), "after: CANCELLED"),
    "details-and-errors": (fault("null", at="complete"), "gave no answer"),
    "parameters-from-json": (fault("error", share=1 / 2, requests=1), "error 603"),
    "conversation-prompt": (fault("error", at="complete", message="No list"), "No list"),
    "trained-tokens": (record(trained_tokens=1), "reported: 1; estimated: "),
    "returned-name": (fault("error", at="complete", message="Who?"), "Cortex says: Who?"),
    "extract-label": (fault("error", at="extract", message="No text"), "No text"),
    "extract-none": (fault("unreadable", at="extract", text="0123"), '"phone": "0123"'),
    "extract-scores": (fault("error", at="extract", message="No scores"), "No scores"),
    "dataset-columns": (fault("error", share=1 / 2, requests=1), "error 603"),
    "missing-file": (fault("error", share=1 / 2, requests=1), "error 603"),
    "extraction-data-fails-job": (record(status="SUCCESS"), "the job ended: SUCCESS"),
}
"""For a guess: how the emulator can behave differently, and what the report then shows."""


@pytest.mark.parametrize("guess_id", DIFFERENT)
def test_a_check_refutes_its_guess(live, cortex_emulator, guess_id):
    """If the account behaves differently, the guess is refuted, with what was seen."""
    cortex_emulator.jobs.add(model=OTHER_MODEL)
    differs, seen = DIFFERENT[guess_id]
    differs(cortex_emulator)
    result = live("--yes", guess_id)
    assert result.verdicts == {guess_id: "refuted"}
    assert seen in result.entry(guess_id)
    assert result.entry(guess_id).endswith(f"So: {read_guesses()[guess_id].if_wrong}")
    assert result.status == 1


@pytest.mark.parametrize(
    ("guess_id", "differs"),
    [
        ("progress-steps", lengthen_jobs),
        ("unknown-status", record(status="PAUSED", requests=1)),
    ],
)
def test_a_longer_job_can_confirm(live, cortex_emulator, guess_id, differs):
    """What the emulator's own jobs do not show, a real job may."""
    differs(cortex_emulator)
    assert live("--yes", guess_id).verdicts == {guess_id: "confirmed"}


@pytest.mark.parametrize(("code", "said"), [(390111, "confirmed"), (390112, "refuted")])
def test_an_aborted_session_ends_with_an_error(live, cortex_emulator, code, said):
    """The emulator knows no SYSTEM$ABORT_SESSION; with it, the check reads the error after it."""

    def abort(_namespace, _session_id):
        cortex_emulator.faults.add("session", code=code, requests=1)
        return "session terminated."

    cortex_emulator._account.engine.functions["SYSTEM$ABORT_SESSION"] = abort  # noqa: SLF001 - for this test only
    result = live("--yes", "session-gone")
    assert result.verdicts == {"session-gone": said}


def test_each_guess_has_a_check_or_a_reason_for_none():
    """Each guess has a check, or says why it has none."""
    assert {guess.id for guess in read_guesses().values() if not guess.no_check} == CHECKS.keys()
