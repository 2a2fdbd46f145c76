"""Fine-tuning jobs: the statements, and what one rejected job means for the others."""

import json
import logging
from collections.abc import Collection
from typing import Any

import pytest

from airflow_provider_cortex.cortex.finetune import (
    FineTuneJobs,
    JobOrError,
    cancel_call,
    create_call,
    describe_call,
    show_call,
)
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.errors import (
    CortexError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
    UnsupportedValueError,
)

FINETUNE = "SNOWFLAKE.CORTEX.FINETUNE"


# --- Statements ----------------------------------------------------------------------------------


def test_values_are_bound() -> None:
    """No value stands in the text of a statement: the driver escapes them all."""
    nasty = "ft_'); DROP TABLE t; --"
    call = describe_call(nasty)
    assert call.sql == f"SELECT {FINETUNE}('DESCRIBE', %s)"
    assert call.values == (nasty,)


def test_several_jobs_are_columns_of_one_row() -> None:
    """In their order."""
    call = describe_call("ft_1", "ft_2")
    assert call.sql == f"SELECT {FINETUNE}('DESCRIBE', %s), {FINETUNE}('DESCRIBE', %s)"
    assert call.values == ("ft_1", "ft_2")


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ({}, ("m", "b", "SELECT 1")),
        ({"validation_data": "SELECT 2 ; "}, ("m", "b", "SELECT 1", "SELECT 2")),
        ({"options": {"max_epochs": 3}}, ("m", "b", "SELECT 1", None, '{"max_epochs": 3}')),
        ({"options": {}}, ("m", "b", "SELECT 1")),
    ],
)
def test_the_arguments_of_create_have_fixed_places(
    arguments: dict[str, Any], values: tuple[object, ...]
) -> None:
    """Without validation data, NULL stands before the options."""
    call = create_call("m", "b", " SELECT 1;\n", **arguments)
    assert call.values == values
    assert call.sql == f"SELECT {FINETUNE}('CREATE', {', '.join(['%s'] * len(values))})"


def test_the_last_semicolon_of_a_query_is_removed() -> None:
    """It would break the query that Cortex puts around it."""
    assert create_call("m", "b", "SELECT ';' ;").values[2] == "SELECT ';'"


def test_show_takes_no_argument_and_cancel_the_jobs_id() -> None:
    """As documented."""
    assert show_call().sql == f"SELECT {FINETUNE}('SHOW')"
    assert show_call().values == ()
    assert cancel_call("ft_1").sql == f"SELECT {FINETUNE}('CANCEL', %s)"
    assert cancel_call("ft_1").values == ("ft_1",)


def test_only_statements_that_change_nothing_may_be_sent_again() -> None:
    """A second CREATE would start, and bill, a second job."""
    assert describe_call("ft_1").only_reads
    assert show_call().only_reads
    assert not create_call("m", "b", "q").only_reads
    assert not cancel_call("ft_1").only_reads


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("model", "\0"),
        ("base_model", "\0"),
        ("training_data", "\0"),
        ("validation_data", "\0"),
        ("options", {"a": "\0"}),
    ],
)
def test_an_argument_that_cannot_be_sent_is_named(argument: str, value: object) -> None:
    """The error says which one it is, and why."""
    arguments: dict[str, Any] = {"model": "m", "base_model": "b", "training_data": "q"}
    with pytest.raises(UnsupportedValueError, match=f"^{argument} .*NUL"):
        create_call(**(arguments | {argument: value}))


def test_a_job_id_that_cannot_be_sent_is_named() -> None:
    """For DESCRIBE and CANCEL."""
    session = Session()
    with pytest.raises(UnsupportedValueError, match=r"^finetune_job_id .*NUL"):
        jobs(session).describe("ft_1", "\0")
    assert session.sizes == []
    with pytest.raises(UnsupportedValueError, match=r"^finetune_job_id .*NUL"):
        cancel_call("\0")


# --- One account's jobs --------------------------------------------------------------------------


class Session:
    """
    An account that describes any job, and records the size of each statement.

    :param rejects: the jobs whose statements it rejects.
    :param fails: the jobs whose statements it does not answer.
    :param limit: the most calls that it allows in one statement.
    """

    last_query_id = "01b7"

    def __init__(
        self, *, rejects: Collection[str] = (), fails: Collection[str] = (), limit: int = 1000
    ) -> None:
        self.rejects = set(rejects)
        self.fails = set(fails)
        self.limit = limit
        self.sizes: list[int] = []
        self.answer = lambda job_id: json.dumps({"id": job_id, "status": "IN_PROGRESS"})
        self.is_open = False
        self.login_error: CortexError | None = None

    def open(self) -> None:
        """Log in."""
        if self.login_error:
            raise self.login_error
        self.is_open = True

    def row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
        """Return the answers to a DESCRIBE statement."""
        self.sizes.append(width)
        job_ids = {str(value) for value in call.values}
        if self.fails & job_ids:
            raise UnreachableError(f"could not {about}: 503")
        if self.rejects & job_ids or width > self.limit:
            raise RejectedError(f"cannot {about}: no")
        return tuple(self.answer(str(value)) for value in call.values)

    def sentence(self, call: Call, *, about: str) -> str:
        """Return what FINETUNE answers to CREATE and CANCEL, with quotes as Snowflake has them."""
        return f'"{call.sql}"'


def jobs(session: Session, *, batch_size: int = 8) -> FineTuneJobs:
    """Return the jobs of an account."""
    return FineTuneJobs(session, batch_size=batch_size)


IDS = [f"ft_{number:02}" for number in range(16)]


def found(outcomes: dict[str, JobOrError]) -> list[str]:
    """Return the ids of the jobs that have no error."""
    return [job_id for job_id, outcome in outcomes.items() if isinstance(outcome, FineTuneJob)]


def test_each_job_has_its_answer() -> None:
    """With the id of the statement that brought it."""
    session = Session()
    outcomes = jobs(session).describe(*IDS)
    assert found(outcomes) == IDS
    assert session.sizes == [8, 8]
    assert {outcome.query_id for outcome in outcomes.values() if isinstance(outcome, FineTuneJob)}
    assert jobs(session).describe() == {}


def test_one_job_is_returned_or_its_error_raised() -> None:
    """An error of a statement for one job is that job's, whatever its kind."""
    assert jobs(Session()).get("ft_1").id == "ft_1"
    with pytest.raises(RejectedError, match=r"^cannot describe fine-tuning job ft_1: no$"):
        jobs(Session(rejects=["ft_1"])).get("ft_1")
    with pytest.raises(UnreachableError, match=r"^could not describe fine-tuning job ft_1: 503$"):
        jobs(Session(fails=["ft_1"])).get("ft_1")


def test_an_unreadable_statement_is_an_unreadable_answer_for_one_job() -> None:
    """For several, it is unknown whose answer could not be read: each may be polled again."""

    class Unreadable(Session):
        def row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
            raise UnreadableAnswerError("which should be one row", [])

    with pytest.raises(UnreadableAnswerError):
        jobs(Unreadable()).get("ft_1")
    outcomes = jobs(Unreadable()).describe("ft_1", "ft_2")
    for job_id, outcome in outcomes.items():
        assert isinstance(outcome, UnreachableError)
        assert str(outcome).startswith(f"could not describe fine-tuning job {job_id}: cannot read")


def test_an_unreadable_answer_is_the_error_of_its_job_alone() -> None:
    """The others of the statement have their answers."""
    session = Session()
    session.answer = lambda job_id: json.dumps(
        {"id": "other" if job_id == "ft_03" else job_id, "status": "PENDING"}
    )
    outcomes = jobs(session).describe(*IDS)
    assert isinstance(outcomes["ft_03"], UnreadableAnswerError)
    assert found(outcomes) == [job_id for job_id in IDS if job_id != "ft_03"]
    assert session.sizes == [8, 8]


def test_a_rejected_job_is_found_by_halving_its_statement() -> None:
    """Only that job has the error."""
    session = Session(rejects=["ft_05"])
    outcomes = jobs(session).describe(*IDS)
    assert found(outcomes) == [job_id for job_id in IDS if job_id != "ft_05"]
    assert isinstance(outcomes["ft_05"], RejectedError)
    assert session.sizes == [8, 4, 4, 2, 1, 1, 2, 8]


def test_a_rejected_job_is_described_alone_the_next_time() -> None:
    """The others share large statements as before."""
    session = Session(rejects=["ft_05"])
    account = jobs(session)
    account.describe(*IDS)
    session.sizes.clear()
    account.describe(*IDS)
    assert session.sizes == [8, 7, 1]


def test_too_many_jobs_for_one_statement_are_described_by_halves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They all get their answers, and the log names the setting that saves the statements."""
    caplog.set_level(logging.INFO)
    session = Session(limit=5)
    account = jobs(session, batch_size=16)
    for _ in range(2):
        session.sizes.clear()
        assert found(account.describe(*IDS)) == IDS
        assert session.sizes == [16, 8, 4, 4, 8, 4, 4]
    assert caplog.messages[0].startswith("Snowflake rejects a statement that describes 16 fine-tun")
    assert "set [cortex] batch_size lower" in caplog.messages[0]


def test_the_jobs_of_an_unanswered_statement_share_smaller_ones_the_next_time() -> None:
    """A quarter of them: the job that makes Snowflake fail soon takes no other with it."""
    session = Session(fails=["ft_05"])
    account = jobs(session)
    sizes = []
    for _ in range(4):
        session.sizes.clear()
        account.describe(*IDS)
        sizes.append(list(session.sizes))
    assert sizes == [[8, 8], [8, 2, 2, 2, 2], [8, 6, 1, 1], [8, 7, 1]]


def test_after_two_unanswered_statements_no_other_is_sent() -> None:
    """Each may take a minute. All other jobs have a transient error that names them."""
    session = Session(fails=IDS)
    outcomes = jobs(session, batch_size=4).describe(*IDS)
    assert session.sizes == [4, 4]
    assert list(outcomes) == IDS
    for job_id, outcome in outcomes.items():
        assert isinstance(outcome, UnreachableError)
        assert str(outcome).startswith(f"could not describe fine-tuning job {job_id}: could not")


def test_an_error_that_names_its_job_is_reported_as_it_is() -> None:
    """Also if it is the one after which no other statement is sent."""
    outcomes = jobs(Session(fails=IDS), batch_size=1).describe(*IDS[:3])
    assert [str(outcome) for outcome in outcomes.values()] == [
        "could not describe fine-tuning job ft_00: 503",
        "could not describe fine-tuning job ft_01: 503",
        "could not describe fine-tuning job ft_02: could not describe fine-tuning job ft_01: 503",
    ]


@pytest.mark.parametrize("rejects", [[], ["ft_01", "ft_03"]])
def test_only_unanswered_statements_in_a_row_count(rejects: list[str]) -> None:
    """An answer or a rejection in between shows that Snowflake answers."""
    session = Session(fails=["ft_00", "ft_02", "ft_04"], rejects=rejects)
    outcomes = jobs(session, batch_size=1).describe(*IDS[:5])
    assert session.sizes == [1] * 5
    unreachable = [key for key, value in outcomes.items() if isinstance(value, UnreachableError)]
    assert unreachable == ["ft_00", "ft_02", "ft_04"]


def test_each_statement_brings_its_outcomes_at_once() -> None:
    """A rejected statement brings none, and its parts follow."""
    parts = list(jobs(Session(rejects=["ft_00"]), batch_size=2).describe_in_batches(IDS[:4]))
    assert [list(part) for part in parts] == [[], ["ft_00"], ["ft_01"], ["ft_02", "ft_03"]]


def test_without_a_session_there_is_no_outcome() -> None:
    """The error of a login is no job's: the caller gets it."""
    session = Session()
    session.login_error = RejectedError("cannot log in: wrong password")
    with pytest.raises(RejectedError, match="cannot log in"):
        jobs(session).describe(*IDS)
    assert session.sizes == []


def test_create_returns_the_jobs_id_without_quotes() -> None:
    """Snowflake may return it as a JSON string."""
    assert jobs(Session()).create("m", "b", "q") == create_call("m", "b", "q").sql


def test_list_all_reads_what_show_lists() -> None:
    """An entry that is no job is an error, or left out."""

    class Listing(Session):
        def row(self, call: Call, *, width: int, about: str) -> tuple[object, ...]:
            assert call == show_call()
            return (json.dumps([{"id": "ft_1", "status": "PENDING"}, {"status": "PENDING"}]),)

    with pytest.raises(UnreadableAnswerError):
        jobs(Listing()).list_all()
    (listed,) = jobs(Listing()).list_all(skip_unreadable=True)
    assert listed.id == "ft_1"
