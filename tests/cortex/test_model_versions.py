"""The versions of one model, and which of them are kept."""

from datetime import UTC, datetime

import pytest

from airflow_provider_cortex.cortex import identifiers, model_versions, sql
from airflow_provider_cortex.cortex.model_versions import ModelVersion
from airflow_provider_cortex.errors import RejectedError, UnreadableAnswerError

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 20)]


def shown(name: str, day: int = 0, **changes: object) -> dict[str, object]:
    """Return a model as SHOW MODELS lists it."""
    return {"name": name, "created_on": DAYS[day], "model_type": "CORTEX_FINETUNED"} | changes


def versions(model: str, *names: str) -> list[ModelVersion]:
    """Return the versions of a model among models that are each a day older."""
    models = [shown(name, -1 - age) for age, name in enumerate(names)]
    return model_versions.find(identifiers.parse_argument("model", model), models)


def names(found: list[ModelVersion]) -> list[str]:
    return [version.parts[-1].text for version in found]


def reasons(found: list[ModelVersion], **changes: object) -> dict[str, str | None]:
    """Return why each version is kept: by default only the newest is."""
    facts: dict[str, object] = {"newest": 1, "protected": (), "promoted": {}}
    facts |= {"running_statements": ()} | changes
    decided = model_versions.reasons_to_keep(found, **facts)  # type: ignore[arg-type]
    return {version.parts[-1].text: reason for version, reason in decided.items()}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("db.s.tickets", ["TICKETS_2", "TICKETS", "TICKETS_10"]),
        ("db.s.tickets_2", ["TICKETS_2", "TICKETS_2_1"]),
        ("db.s.tickets_new", ["TICKETS_NEW"]),
        ('db.s."tickets"', ["tickets", "tickets_1"]),
        ('db.s."TICKETS"', ["TICKETS_2", "TICKETS", "TICKETS_10"]),
        ("db.s.ticket_", []),
    ],
)
def test_a_version_has_the_name_or_a_suffix(model: str, expected: list[str]) -> None:
    """Names that only look alike are other models; so is a version's version."""
    listed = (
        *("TICKETS_2", "TICKETS", "tickets", "TICKETSX1", "TICKETS_NEW", "TICKETS_2_1"),
        *("TICKETS_", "TICKETS_1A", "TICKETS_10", "tickets_1", "MY_TICKETS", "TICKETS_-1"),
    )
    assert names(versions(model, *listed)) == expected


def test_only_tuned_models_are_versions() -> None:
    """A model that the registry holds for others has nothing to do with Cortex."""
    models = [shown("M", model_type="USER_MODEL"), shown("M_1", model_type=None), shown("M_2")]
    assert names(model_versions.find(identifiers.parse_argument("m", "d.s.m"), models)) == ["M_2"]


def test_the_newest_come_first() -> None:
    """By their age, whatever their number; of the same age the higher number counts as newer."""
    models = [shown("M_3", 1), shown("M", 5), shown("M_10", 3), shown("M_9", 3)]
    found = model_versions.find(identifiers.parse_argument("m", "d.s.m"), models)
    assert names(found) == ["M", "M_10", "M_9", "M_3"]


@pytest.mark.parametrize("created_on", [None, "yesterday", 5])
def test_a_version_of_unknown_age_stops_it(created_on: object) -> None:
    """Otherwise the newest might count as the oldest."""
    with pytest.raises(UnreadableAnswerError, match="created_on"):
        model_versions.find(
            identifiers.parse_argument("m", "d.s.m"), [shown("M", created_on=created_on)]
        )


def test_the_newest_are_kept() -> None:
    """As many as asked for."""
    found = versions("d.s.m", "M_2", "M_1", "M")
    kept = {"M_2": "one of the newest 2", "M_1": "one of the newest 2", "M": None}
    assert reasons(found, newest=2) == kept
    assert reasons(found) == {"M_2": "the newest", "M_1": None, "M": None}
    assert None not in reasons(found, newest=3).values()


@pytest.mark.parametrize("name", ["m", "S.m", "d.s.M", '"M"', 'D.S."m"', " m "])
def test_a_protected_model_is_kept(name: str) -> None:
    """In any spelling, with or without its schema; too many are kept rather than one too few."""
    found = versions("d.s.m", "M_1", "M")
    assert reasons(found, protected=[name]) == {"M_1": "the newest", "M": "protected"}


@pytest.mark.parametrize("name", ["m_2", "other.m", "x.s.m", "llama3.1-8b", "a.b.c.d"])
def test_another_protected_model_is_not_this_one(name: str) -> None:
    """Such as one of the same name in another schema."""
    assert reasons(versions("d.s.m", "M_1", "M"), protected=[name])["M"] is None


def test_a_promoted_model_is_kept() -> None:
    """Whatever its age; the reason names all its aliases, and comes before other reasons."""
    promoted = {"D.S.NEW": "d.s.m", "X.S.ALSO": 'D.S."M"', "X.S.OTHER": "x.s.m_1"}
    found = versions("d.s.m", "M_1", "M")
    kept = {"M_1": "the newest", "M": "in use as D.S.NEW, X.S.ALSO"}
    assert reasons(found, promoted=promoted, protected=["m"]) == kept


@pytest.mark.parametrize(
    ("statement", "is_used"),
    [
        ("SELECT AI_COMPLETE('D.S.m_2', body) FROM t", True),
        ("SELECT AI_COMPLETE(model => 'm_2', prompt => body)", True),
        ("""SELECT AI_COMPLETE('D.S."M_2"', body)""", True),
        ("SELECT AI_COMPLETE('D.S.M_20', 'M_2X', 'XM_2', 'M_2_1', '$M_2')", False),
        ("SELECT 1", False),
    ],
)
def test_a_model_that_a_running_statement_names_is_kept(statement: str, is_used: bool) -> None:
    """With or without its schema, in any case."""
    found = versions("d.s.m", "M_3", "M_2")
    reason = "a running statement uses it" if is_used else None
    assert reasons(found, running_statements=["SELECT 2", statement])["M_2"] == reason


def test_names_are_written_for_sql() -> None:
    """The statement quotes all parts; elsewhere only those that need it are quoted."""
    (found,) = versions('db.s."My ""m"', 'My "m')
    assert found.name == 'db.s."My ""m"'
    assert found.drop.sql == 'DROP MODEL IF EXISTS "DB"."S"."My ""m"'


def test_a_list_that_may_be_cut_is_not_used() -> None:
    """SHOW returns at most 10,000 objects: an alias that is missing in it would cost a model."""
    with pytest.raises(RejectedError, match="10,000"):
        sql.shown(["name"], [("f",)] * 10_000)
    assert sql.shown(["NAME"], [("f",)]) == [{"name": "f"}]


def test_a_pattern_matches_at_least_its_name() -> None:
    """A backslash might be an escape: any character stands for it."""
    assert sql.like("A_b%\\_") == "A_b%__"
