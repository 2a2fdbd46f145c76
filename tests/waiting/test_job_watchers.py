"""CortexJobTrigger: it fires once for each job that finishes, with few statements."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.triggers import CortexJobTrigger
from tests.watchers import (
    DESCRIBE,
    SHOW,
    Job,
    State,
    ids,
    needs_watchers,
    nothing,
    run_all,
    sent,
    watch,
    watch_all,
)

pytestmark = [
    needs_watchers,
    pytest.mark.usefixtures("connection"),
]


# --- Which jobs --------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_trigger")
def test_a_watcher_fires_once_for_each_job_that_finishes(cortex_emulator: Emulator) -> None:
    """In the order of their creation; the payload is the record as DESCRIBE returns it."""
    first, second, running = (Job(cortex_emulator, f"DB.S.M{number}") for number in range(3))

    def end_both() -> None:
        second.fail()
        first.succeed()

    payloads = watch({}, end_both, nothing, nothing)
    assert ids(payloads) == [first.id, second.id]
    assert running.id not in ids(payloads)
    succeeded, failed = payloads
    assert (succeeded["status"], succeeded["model"]) == ("SUCCESS", "DB.S.M0")
    assert succeeded["finished_on"] >= succeeded["created_on"]
    assert (failed["status"], failed["error"]["code"]) == ("ERROR", "INTERNAL_ERROR")


@pytest.mark.usefixtures("one_trigger")
@pytest.mark.parametrize("state", [None, State()], ids=["3.0", "3.3"])
def test_the_first_poll_ever_fires_for_no_job(
    state: State | None, cortex_emulator: Emulator
) -> None:
    """Jobs that finished months ago are not news."""
    for number in range(3):
        cortex_emulator.jobs.add(model=f"m{number}", life=Life.at_once())
    assert watch({}, nothing, state=state) == []
    assert sent(cortex_emulator, DESCRIBE) == 0


@pytest.mark.usefixtures("one_trigger")
def test_a_job_that_starts_and_finishes_between_two_polls_is_reported(
    cortex_emulator: Emulator,
) -> None:
    """No poll has seen it running."""
    payloads = watch({}, lambda: cortex_emulator.jobs.add(model="m", life=Life.at_once()), nothing)
    assert len(payloads) == 1


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "none": ({}, {"llama", "llama 2", "mistral", "failed", "cancelled"}),
    "one status": ({"status": "error"}, {"failed"}),
    "two statuses": ({"status": ["ERROR", "CANCELLED"]}, {"failed", "cancelled"}),
    "base model": ({"base_model": "Mistral-7b"}, {"mistral", "failed"}),
    "model": ({"model": "triage"}, {"llama", "llama 2"}),
    "qualified model": ({"model": "db.s.triage"}, {"llama", "llama 2"}),
    "another schema": ({"model": "db.other.triage"}, set()),
    "one version": ({"model": "triage_1"}, {"llama 2"}),
    "base model and status": ({"base_model": "mistral-7b", "status": "SUCCESS"}, {"mistral"}),
}


@pytest.mark.usefixtures("one_trigger")
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_selects_jobs(name: str, cortex_emulator: Emulator) -> None:
    """By status, base model, and model; the name without Cortex's suffix matches each version."""
    arguments, expected = FILTERS[name]
    jobs = {
        "llama": Job(cortex_emulator, "DB.S.TRIAGE"),
        "llama 2": Job(cortex_emulator, "DB.S.TRIAGE"),
        "mistral": Job(cortex_emulator, "DB.S.OTHER", base_model="mistral-7b"),
        "failed": Job(cortex_emulator, "DB.S.X", base_model="mistral-7b"),
        "cancelled": Job(cortex_emulator, "DB.S.Y"),
    }

    def end_all() -> None:
        for succeeds in "llama", "llama 2", "mistral":
            jobs[succeeds].succeed()
        jobs["failed"].fail()
        jobs["cancelled"].cancel()

    found = ids(watch(arguments, end_all, nothing))
    assert {name for name, job in jobs.items() if job.id in found} == expected
    assert len(found) == len(expected)


@pytest.mark.usefixtures("one_trigger")
def test_only_jobs_that_may_be_wanted_are_described(cortex_emulator: Emulator) -> None:
    """SHOW has the status and the base model."""
    jobs = [Job(cortex_emulator, f"m{number}") for number in range(3)]

    def end() -> None:
        jobs[0].succeed()
        jobs[1].fail()

    watch({"status": "SUCCESS"}, end, nothing)
    assert sent(cortex_emulator, DESCRIBE) == 1
    assert sum(s.sql.count(DESCRIBE) for s in cortex_emulator.statements) == 1


# --- Statements --------------------------------------------------------------------------------


def test_watchers_share_one_show_a_round(cortex_emulator: Emulator) -> None:
    """Fifty of them, with different filters, send one SHOW a round, and one DESCRIBE for all."""
    job = Job(cortex_emulator, "DB.S.M7")
    watchers = [CortexJobTrigger(model=f"m{number}") for number in range(49)]
    found = watch_all([CortexJobTrigger(), *watchers], job.succeed, nothing)
    assert sent(cortex_emulator, SHOW) == 3  # at the start, and after each pause
    assert sent(cortex_emulator, DESCRIBE) == 1
    assert cortex_emulator.logins == 1
    assert [len(payloads) for payloads in found] == [1, *[n == 7 for n in range(49)]]


@pytest.mark.usefixtures("one_trigger")
def test_many_jobs_are_described_in_one_statement(cortex_emulator: Emulator) -> None:
    """However many have finished since the last poll."""
    jobs = [Job(cortex_emulator, f"m{number}") for number in range(50)]

    def end_all() -> None:
        for job in jobs:
            job.succeed()

    assert len(watch({}, end_all, nothing)) == 50
    assert sent(cortex_emulator, DESCRIBE) == 1


@pytest.mark.usefixtures("one_trigger")
def test_a_watcher_polls_at_its_interval(cortex_emulator: Emulator) -> None:
    """Counted from poll to poll, on the marks that all waits of the session share."""
    ((_, clock),) = run_all([CortexJobTrigger(poke_interval=300)], *[nothing] * 4)
    assert 150 <= clock.slept[0] <= 450
    assert clock.slept[1:] == pytest.approx([300.0] * 3, abs=1)


@pytest.mark.usefixtures("one_trigger")
def test_a_watcher_is_no_wait_for_a_job(
    cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metric of jobs that are waited for stays as it is; the statements are counted."""
    from airflow_provider_cortex.airflow_api import polling_metrics

    sent: list[str] = []

    class Stats:
        def gauge(self, name: str, *_: object, **__: object) -> None:
            sent.append(name)

        incr = timing = gauge

    monkeypatch.setattr(polling_metrics, "Stats", Stats())
    watch({}, nothing)
    assert "cortex.statements" in sent
    assert "cortex.jobs_waiting" not in sent


# --- Errors ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_trigger")
def test_transient_errors_do_not_end_a_watcher(cortex_emulator: Emulator, log_lines: Any) -> None:
    """The pauses grow up to five minutes, and what finished meanwhile is reported."""
    job = Job(cortex_emulator)

    def fail() -> None:
        cortex_emulator.faults.add("status", status=503)
        job.succeed()

    ((payloads, clock),) = run_all(
        [CortexJobTrigger(poke_interval=60)],
        fail,
        *[nothing] * 5,
        cortex_emulator.faults.clear,
        nothing,
    )
    assert ids(payloads) == [job.id]
    pauses = clock.slept[1:7]
    assert pauses == pytest.approx(sorted(pauses), abs=1)
    assert max(pauses) == pytest.approx(300, abs=1)
    lines = [line for line in log_lines() if "next poll of the fine-tuning jobs in" in line]
    assert len(lines) == 6
    assert all("warning" in line.lower() for line in lines)


@pytest.mark.usefixtures("one_trigger")
def test_a_rejected_login_is_tried_again_after_a_long_pause(
    cortex_emulator: Emulator, log_lines: Any
) -> None:
    """Snowflake locks a user out after some of them: 15, 30, then 60 minutes."""
    job = Job(cortex_emulator)
    cortex_emulator.faults.add("login")
    ((payloads, clock),) = run_all(
        [CortexJobTrigger()], *[nothing] * 3, cortex_emulator.faults.clear, job.succeed, nothing
    )
    assert clock.slept[:4] == pytest.approx([900, 1800, 3600, 3600])
    assert ids(payloads) == [job.id]
    lines = [line for line in log_lines() if "next poll of the fine-tuning jobs in" in line]
    assert all("error" in line.lower() and "snowflake_default" in line for line in lines)
    assert "in 15 min" in lines[0]


@pytest.mark.usefixtures("one_trigger")
def test_a_rejected_show_is_tried_again_after_a_long_pause(cortex_emulator: Emulator) -> None:
    """For example if the role may not call FINETUNE."""
    cortex_emulator.faults.add("error", code=2003, sqlstate="02000", message="not authorized")
    ((payloads, clock),) = run_all([CortexJobTrigger()], nothing, cortex_emulator.faults.clear)
    assert clock.slept == pytest.approx([900, 1800])
    assert payloads == []


@pytest.mark.usefixtures("one_trigger")
def test_a_missing_connection_is_named_in_the_log(log_lines: Any) -> None:
    """The watcher goes on, and finds it when it is created."""
    ((_, clock),) = run_all([CortexJobTrigger(snowflake_conn_id="missing")], nothing)
    assert clock.slept == pytest.approx([900])
    (line, *_) = [line for line in log_lines() if "next poll of the fine-tuning jobs in" in line]
    assert "Airflow finds no connection 'missing'. Create it, or correct" in line


@pytest.mark.usefixtures("one_trigger")
def test_an_unexpected_error_is_a_transient_one(
    cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, log_lines: Any
) -> None:
    """A secrets backend may raise anything: the watcher goes on."""
    from airflow.providers.common.compat.sdk import BaseHook

    job = Job(cortex_emulator)

    def broken(*_: object) -> None:
        raise OSError("the vault is sealed")

    real = BaseHook.get_connection
    monkeypatch.setattr(BaseHook, "get_connection", broken)

    def repair() -> None:
        monkeypatch.setattr(BaseHook, "get_connection", real)

    assert ids(watch({}, nothing, repair, job.succeed, nothing)) == [job.id]
    assert any("the vault is sealed" in line for line in log_lines())


@pytest.mark.usefixtures("one_trigger")
def test_a_job_that_cannot_be_described_is_tried_again(cortex_emulator: Emulator) -> None:
    """The others are reported meanwhile."""
    job, other = Job(cortex_emulator, "m0"), Job(cortex_emulator, "m1")

    def end_both() -> None:
        job.succeed()
        other.succeed()
        cortex_emulator.jobs.answer(job.id, "Not JSON.", looks=2)

    payloads = watch({}, end_both, *[nothing] * 6)
    assert ids(payloads) == [other.id, job.id]
    assert payloads[1]["model"] == "m0"


@pytest.mark.usefixtures("one_trigger")
def test_an_outage_says_nothing_about_a_job(cortex_emulator: Emulator) -> None:
    """However many polls it lasts, the job is reported with its model when it is over."""
    job = Job(cortex_emulator, "m")
    cortex_emulator.faults.add("error", at="describe", code=603, sqlstate="XX000", requests=7)
    payloads = watch({"model": "m"}, job.succeed, *[nothing] * 10)
    assert ids(payloads) == [job.id]


@pytest.mark.usefixtures("one_trigger")
@pytest.mark.parametrize("arguments", [{}, {"model": "m"}])
def test_a_job_that_is_never_described_is_reported_as_show_lists_it(
    arguments: dict[str, Any], cortex_emulator: Emulator, log_lines: Any
) -> None:
    """After five tries, unless it must have a model: that is then unknown."""
    job = Job(cortex_emulator, "m")
    cortex_emulator.faults.add("vanish", job_id=job.id)
    payloads = watch(arguments, job.succeed, *[nothing] * 8)
    if arguments:
        assert payloads == []
    else:
        (payload,) = payloads
        assert payload.keys() == {"id", "status", "base_model", "created_on"}
    assert sum(s.sql.count(DESCRIBE) for s in cortex_emulator.statements) == 5
    (line,) = [line for line in log_lines() if "cannot be described" in line]
    assert job.id in line


@pytest.mark.usefixtures("one_trigger")
def test_an_id_that_cannot_be_sent_takes_no_other_job_with_it(cortex_emulator: Emulator) -> None:
    """It is reported as SHOW lists it, and breaks no statement."""
    jobs = cortex_emulator.jobs
    job = Job(cortex_emulator)
    jobs._id_prefix = "ft_\0"  # noqa: SLF001 - no account has such ids
    unsendable = Job(cortex_emulator, "m")

    def end_both() -> None:
        job.succeed()
        unsendable.succeed()

    described, listed = watch({}, end_both, *[nothing] * 7)
    assert described["id"] == job.id
    assert listed["id"] == unsendable.id.replace("\0", "\ufffd")
    assert sent(cortex_emulator, DESCRIBE) == 1


@pytest.mark.usefixtures("one_trigger")
def test_a_job_that_show_leaves_out_for_a_while_is_not_reported_again(
    cortex_emulator: Emulator,
) -> None:
    """Whatever the reason: such as a role that sees fewer jobs for a while."""
    job = Job(cortex_emulator)
    registered = cortex_emulator.jobs._jobs  # noqa: SLF001 - an account forgets no job
    hidden = {}

    def hide() -> None:
        hidden.update(registered)
        registered.clear()

    def show() -> None:
        registered.update(hidden)

    payloads = watch({}, job.succeed, nothing, hide, nothing, show, nothing)
    assert ids(payloads) == [job.id]


# --- The payload -------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_trigger")
def test_a_payload_is_bounded_and_strict_json(cortex_emulator: Emulator) -> None:
    """Airflow's database rejects NaN and NUL, and a job's queries may be as long as they like."""
    job = Job(cortex_emulator)
    cortex_emulator.faults.add(
        "record",
        job_id=job.id,
        set={
            "training_data": "SELECT 'é' " + "x" * 100_000,
            "training_result": {"validation_loss": float("nan"), "note": "a\0b\ud800"},
            "unknown": {str(number): "x" * 900 for number in range(1000)},
        },
    )
    (payload,) = watch({}, job.succeed, nothing)
    assert payload["training_data"].startswith("SELECT 'é' xxx")
    assert payload["training_data"].endswith("… (100011 characters)")
    assert payload["training_result"] == {"validation_loss": None, "note": "a\ufffdb?"}
    assert "unknown" not in payload
    assert payload["model"] == "DB.S.M"
    assert len(json.dumps(payload)) < 20_000


@pytest.mark.usefixtures("one_trigger")
def test_the_log_has_no_query(cortex_emulator: Emulator, log_lines: Any) -> None:
    """Airflow logs each event; the watcher's own line has the job's id and how it ended."""
    job = Job(cortex_emulator)
    cortex_emulator.faults.add("record", job_id=job.id, set={"training_data": "SELECT secret"})

    watch({}, job.succeed, nothing)
    lines = log_lines()
    assert any(f"Fine-tuning job {job.id}: SUCCESS 100 %" in line for line in lines)
    assert not any("SELECT secret" in line for line in lines)
