"""A dataset's version: its address, its name, where it came from, and whether it is used."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.cortex import dataset, dataset_check
from airflow_provider_cortex.cortex.dataset import Choice, DatasetVersion, Origin
from airflow_provider_cortex.errors import ArgumentError, QueryError, UnreadableAnswerError

FACTS: dict[str, Any] = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1}
OWN = Origin(proof="own", query="q", **FACTS)
OTHER_QUERY = Origin(proof="own", query="another", **FACTS)
OTHER_TASK = Origin(proof="other", query="q", report={"rows": 1}, **FACTS)
OTHERS = Origin(proof="other", query="another", **FACTS)


@pytest.mark.parametrize(
    "address",
    [
        "snow://dataset/db.s.invoices/versions/v1",
        "snow://dataset/invoices/versions/2",
        'snow://dataset/"my db".s."a/versions/""b"/versions/run-1.0',
    ],
)
def test_an_address_names_a_dataset_and_a_version(address: str) -> None:
    """Its parts may be quoted, and may be left out."""
    assert DatasetVersion.parse("training_data", address).uri == address


def test_an_origin_survives_its_metadata() -> None:
    """Characters of any alphabet do, too."""
    origin = Origin(proof="p", query="q", report={"rows": 1}, **FACTS | {"run_id": "ü'\\"})
    assert Origin.read(origin.metadata) == origin
    assert Origin.read(json.loads(origin.metadata)) == origin
    assert origin.metadata.isascii()


@pytest.mark.parametrize(
    "metadata", [None, "", "x", "[]", "{}", '{"package": "another"}', "[" * 10_000, 1]
)
def test_other_metadata_say_nothing(metadata: object) -> None:
    """Anyone may add a version, with metadata of their own or without."""
    assert Origin.read(metadata) is None


def test_metadata_without_a_field_say_nothing() -> None:
    """An unknown field, of a later release, does no harm."""
    known = json.loads(OWN.metadata)
    assert Origin.read(known | {"new": 1}) == OWN
    del known["proof"]
    assert Origin.read(known) is None


@pytest.mark.parametrize(
    ("if_exists", "found", "chosen"),
    [
        ("adopt", {}, Choice("v")),
        ("fail", {}, Choice("v")),
        ("create", {}, Choice("v")),
        ("adopt", {"V": None, "v_2": None}, Choice("v")),
        ("adopt", {"v": OWN}, Choice("v", exists=True, origin=OWN)),
        ("fail", {"v": OWN}, Choice("v", exists=True, origin=OWN)),
        ("create", {"v": OWN}, Choice("v", exists=True, origin=OWN)),
        ("adopt", {"v": OTHER_TASK}, Choice("v", exists=True, origin=OTHER_TASK)),
        ("adopt", {"v": None}, Choice("v", exists=True)),
        ("create", {"v": None}, Choice("v_2")),
        ("create", {"v": OTHER_TASK, "v_2": OTHERS}, Choice("v_3")),
        ("create", {"v": OTHER_QUERY}, Choice("v_2")),
        ("create", {"v": OTHERS, "v_2": OWN}, Choice("v_2", exists=True, origin=OWN)),
    ],
)
def test_a_version_is_chosen_by_where_it_came_from(
    if_exists: str, found: dict[str, Origin | None], chosen: Choice
) -> None:
    """That of an earlier try is returned; what is done with another one, the argument says."""
    shown = {name: origin and origin.metadata for name, origin in found.items()}
    assert dataset.choose("v", shown, OWN, if_exists) == chosen


@pytest.mark.parametrize(
    ("if_exists", "found", "reason"),
    [
        ("adopt", OTHERS, "was made from another query, by task d.t of run r."),
        ("adopt", OTHER_QUERY, "made from another query by an earlier try of this task."),
        ("fail", OTHER_TASK, 'made by task d.t of run r, and if_exists is "fail".'),
        ("fail", OTHER_QUERY, "made from another query by an earlier try of this task."),
        ("fail", None, 'made by another, and if_exists is "fail".'),
    ],
)
def test_a_version_that_cannot_be_used_is_refused(
    if_exists: str, found: Origin | None, reason: str
) -> None:
    """The error names who made it, and what to do."""
    with pytest.raises(ArgumentError, match="version v exists, ") as caught:
        dataset.choose("v", {"v": found and found.metadata}, OWN, if_exists)
    assert reason in str(caught.value)
    assert 'or set if_exists="create"' in str(caught.value)


@pytest.mark.parametrize(
    ("run_id", "name"),
    [
        ("scheduled__2026-11-28T00:00:00+00:00", "run_2026_11_28_0123456789ab"),
        ("weekly/ü 1", "run_0123456789ab"),
    ],
)
def test_the_default_name_is_legible(run_id: str, name: str) -> None:
    """It has a date if the run's id has one, and no character that an address could not have."""
    assert dataset.default_name("0123456789abcdef", run_id) == name
    assert dataset.version_name("version", name) == name


def test_versions_without_names_are_unreadable() -> None:
    """Otherwise each of them would count as missing."""
    shown = [{"version": "v1", "metadata": "{}"}, {"version": "v2"}]
    assert dataset.read_versions(shown) == {"v1": "{}", "v2": None}
    with pytest.raises(UnreadableAnswerError, match="should have a column version"):
        dataset.read_versions([{"name": "v1"}])


def test_columns_are_found_in_any_case() -> None:
    """But there must be one of each."""
    found = dataset_check.columns(["ID", "File", "PROMPT", "response"])
    assert found == {"file": "File", "prompt": "PROMPT", "response": "response"}
    with pytest.raises(QueryError, match="query has no column response: its columns are "):
        dataset_check.columns(["file", "prompt"])
    with pytest.raises(QueryError, match="query has several columns file: its columns are "):
        dataset_check.columns(["file", "FILE", "prompt", "response"])


MANY_PAGES = (
    "it has 50,001 questions about documents of at least one page each, more than 50,000 questions"
    " times pages"
)

GOOD = [20, 20, 10, 10, *[0, None] * len(dataset_check.PROBLEMS)]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({0: 5_000, 1: 1_000, 2: 50_000}, None),
        ({0: 5_000, 1: 1_001}, "it has 1,001 different files, more than 1,000"),
        ({0: 5_001, 2: 50_001}, MANY_PAGES),
        ({0: 0, 1: 0, 2: None, 3: None, 4: None}, "it has no rows"),
        ({4: 2}, "2 of 20 rows have NULL as file, prompt or response"),
    ],
)
def test_rows_keep_to_snowflake_s_limits(changes: dict[int, object], problem: str | None) -> None:
    """Of the limits on its page, those that SQL can check."""
    cells = [changes.get(number, cell) for number, cell in enumerate(GOOD)]
    found = list(dataset_check.figures(cells).problems())
    assert found == ([] if problem is None else [problem])


@pytest.mark.parametrize("cell", ["many", -1])
def test_an_answer_of_another_shape_is_unreadable(cell: object) -> None:
    """A count is a number."""
    with pytest.raises(UnreadableAnswerError):
        dataset_check.figures([cell, *GOOD[1:]])
