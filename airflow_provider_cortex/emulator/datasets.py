"""
Datasets and their versions.

https://docs.snowflake.com/en/sql-reference/sql/create-dataset
https://docs.snowflake.com/en/sql-reference/sql/alter-dataset-add-version
https://docs.snowflake.com/en/sql-reference/sql/show-versions-in-dataset
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_cortex.emulator import (
    model_statements,
    name_resolution,
    setup_results,
    statement_text,
)
from airflow_provider_cortex.emulator.model_statements import like_pattern, literal_value
from airflow_provider_cortex.emulator.name_resolution import NameKey, Namespace
from airflow_provider_cortex.emulator.sql_errors import (
    already_exists,
    dataset_version_exists,
    no_dataset,
    no_dataset_version,
    no_such_namespace,
    syntax_error,
    unknown_object,
)

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.sql_engine import SqlSession

# Guess dataset-columns: SHOW VERSIONS has the columns that snowflake-ml-python reads, and SHOW
# DATASETS those that most SHOW statements have. If wrong: real clients find other columns than in
# tests.
_VERSION_COLUMNS = ("created_on", "version", "comment", "metadata")
_DATASET_COLUMNS = ("created_on", "name", "database_name", "schema_name", "owner")

_URI = re.compile(
    rf"snow://dataset/(?P<name>{statement_text.NAME})/versions/(?P<version>[^/]+)/?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """A version: the rows that its query had when it was added."""

    created_on: datetime
    columns: list[str]
    rows: list[tuple[object, ...]]
    comment: str | None = None
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: nothing but its versions."""

    created_on: datetime
    versions: dict[str, DatasetVersion] = field(default_factory=dict)
    """By name, whose case matters."""


@dataclass(slots=True)
class Datasets:
    """The datasets of one account. Safe to use from several threads."""

    _datasets: dict[NameKey, Dataset] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def create(self, key: NameKey, *, or_replace: bool, if_not_exists: bool) -> str:
        """Add a dataset without versions, and return the statement's status."""
        with self._lock:
            if key in self._datasets and not or_replace:
                if if_not_exists:
                    return f"{key[-1]} already exists, statement succeeded."
                raise already_exists(".".join(key))
            self._datasets[key] = Dataset(datetime.now(UTC))
        return f"Dataset {key[-1]} successfully created."

    def drop(self, key: NameKey, *, if_exists: bool) -> str:
        """Remove a dataset with its versions, and return the statement's status."""
        with self._lock:
            if self._datasets.pop(key, None) is not None:
                return f"{key[-1]} successfully dropped."
        if if_exists:
            return f"Drop statement executed successfully ({key[-1]} already dropped)."
        raise unknown_object("Dataset", ".".join(key))

    def get(self, key: NameKey) -> Dataset:
        """:raises SqlError: if there is none of this name."""
        with self._lock:
            if key not in self._datasets:
                raise no_dataset(".".join(key))
            return self._datasets[key]

    def add_version(self, key: NameKey, name: str, version: DatasetVersion) -> None:
        """:raises SqlError: if the dataset does not exist, or has a version of this name."""
        with self._lock:
            versions = self.get(key).versions
            if name in versions:
                raise dataset_version_exists(name)
            versions[name] = version

    def drop_version(self, key: NameKey, name: str) -> None:
        """:raises SqlError: if the dataset or the version does not exist."""
        with self._lock:
            if self.get(key).versions.pop(name, None) is None:
                raise no_dataset_version(name)

    def all(self) -> list[tuple[NameKey, Dataset]]:
        """Return the datasets, by name."""
        with self._lock:
            return sorted(self._datasets.items())

    def forget(self, names: NameKey) -> None:
        """Remove the datasets of a database or schema."""
        with self._lock:
            for key in [each for each in self._datasets if each[: len(names)] == names]:
                del self._datasets[key]

    def at(self, uri: str, namespace: Namespace) -> DatasetVersion:
        """
        Return the version that ``snow://dataset/name/versions/version`` means.

        :raises SqlError: if the URI is none, or if there is no such version.
        """
        match = _URI.fullmatch(uri)
        if match is None:
            raise no_dataset(uri)
        key = name_resolution.qualified_key(match["name"], namespace, statement="SELECT")
        versions = self.get(key).versions
        if match["version"] not in versions:
            raise no_dataset_version(match["version"])
        return versions[match["version"]]


def _key(session: "SqlSession", match: re.Match[str], statement: str) -> NameKey:
    return name_resolution.qualified_key(match["name"], session.namespace, statement=statement)


def _text(match: re.Match[str], group: str) -> str | None:
    """Return the value of a text constant; the name in quotes or not, as it is written."""
    written = match[group]
    if written is None:
        return None
    if written.startswith("$$"):
        return str(written[2:-2])
    return literal_value(written[1:-1]) if written.startswith("'") else str(written)


def _create(session: "SqlSession", match: re.Match[str]) -> str:
    status = session.engine.datasets.create(
        _key(session, match, "CREATE DATASET"),
        or_replace=bool(match["or_replace"]),
        if_not_exists=bool(match["if_not_exists"] or match["exists"]),
    )
    return setup_results.status(status)


def _drop(session: "SqlSession", match: re.Match[str]) -> str:
    key = _key(session, match, "DROP DATASET")
    return setup_results.status(
        session.engine.datasets.drop(key, if_exists=bool(match["if_exists"]))
    )


def _add_version(session: "SqlSession", match: re.Match[str]) -> str:
    key, name = _key(session, match, "ALTER DATASET"), _text(match, "version") or ""
    query, rest = _split_query(match["rest"])
    options = _OPTIONS.fullmatch(rest)
    if options is None:
        raise syntax_error(rest)
    datasets = session.engine.datasets
    if name in datasets.get(key).versions:
        raise dataset_version_exists(name)
    columns, rows = session.query(query)
    version = DatasetVersion(
        created_on=datetime.now(UTC),
        columns=columns,
        rows=rows,
        comment=_text(options, "comment"),
        metadata=_text(options, "metadata"),
    )
    datasets.add_version(key, name, version)
    return setup_results.status(f"Dataset {key[-1]} successfully altered.")


def _split_query(text: str) -> tuple[str, str]:
    """Return the query in the parentheses that *text* begins with, and what follows them."""
    depth = 0
    for token in _PARENTHESIS.finditer(text):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0:
            return text[1 : token.start()], text[token.end() :]
    raise syntax_error(text)


def _drop_version(session: "SqlSession", match: re.Match[str]) -> str:
    key = _key(session, match, "ALTER DATASET")
    session.engine.datasets.drop_version(key, _text(match, "version") or "")
    return setup_results.status(f"Dataset {key[-1]} successfully altered.")


def _show(session: "SqlSession", match: re.Match[str]) -> str:
    # Without IN, "by default, returns records for the schema in use".
    scope = match["scope"] if match["scope"] or match["name"] else "SCHEMA"
    prefix = model_statements.name_prefix(session.namespace, scope, match["name"])
    pattern, start = like_pattern(literal_value(match["like"])), _text(match, "start") or ""
    rows = [
        (dataset.created_on, key[-1], key[0], key[1], "ACCOUNTADMIN")
        for key, dataset in session.engine.datasets.all()
        if key[: len(prefix)] == prefix and pattern.fullmatch(key[-1]) and key[-1].startswith(start)
    ]
    return setup_results.select(_DATASET_COLUMNS, rows[: int(match["limit"] or len(rows))])


def _show_versions(session: "SqlSession", match: re.Match[str]) -> str:
    key = _key(session, match, "SHOW VERSIONS")
    datasets = dict(session.engine.datasets.all())
    if key not in datasets:
        raise no_such_namespace()
    pattern = like_pattern(_text(match, "like"))
    rows = [
        (version.created_on, name, version.comment, version.metadata)
        for name, version in datasets[key].versions.items()
        if pattern.fullmatch(name)
    ]
    return setup_results.select(_VERSION_COLUMNS, rows[: int(match["limit"] or len(rows))])


_NAME = rf"(?P<name>{statement_text.NAME})"
_CONSTANT = statement_text.CONSTANT
_COMMENT = rf"COMMENT\s*=\s*(?P<comment>{_CONSTANT})"
_VERSION = rf"VERSION\s+(?P<version>{_CONSTANT}|{statement_text.NAME})"
_LIMIT = r"(?:\s+LIMIT\s+(?P<limit>\d+))?"

_PARENTHESIS = re.compile(rf"""{_CONSTANT}|"(?:[^"]|"")*"|[()]""", re.DOTALL)
_OPTIONS = re.compile(
    rf"\s*(?:PARTITION\s+BY\s+.+?)??\s*(?:{_COMMENT}\s*)?"
    rf"(?:METADATA\s*=\s*(?P<metadata>{_CONSTANT})\s*)?",
    re.IGNORECASE | re.DOTALL,
)

# Snowflake's page has IF NOT EXISTS before DATASET, its Python package after it.
_CREATE = (
    r"CREATE\s+(?P<or_replace>OR\s+REPLACE\s+)?(?P<if_not_exists>IF\s+NOT\s+EXISTS\s+)?"
    rf"DATASET\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?{_NAME}"
)
_SHOW = (
    rf"SHOW\s+DATASETS{model_statements.SHOW_CLAUSES}"
    rf"(?:STARTS\s+WITH\s+(?P<start>{_CONSTANT}))?{_LIMIT}"
)

STATEMENTS: "tuple[tuple[str, Callable[[SqlSession, re.Match[str]], str]], ...]" = (
    (_CREATE, _create),
    (rf"DROP\s+DATASET\s+(?P<if_exists>IF\s+EXISTS\s+)?{_NAME}", _drop),
    (rf"ALTER\s+DATASET\s+{_NAME}\s+ADD\s+{_VERSION}\s+FROM\s*(?P<rest>\(.*)", _add_version),
    (rf"ALTER\s+DATASET\s+{_NAME}\s+DROP\s+{_VERSION}", _drop_version),
    (_SHOW, _show),
    (
        rf"SHOW\s+VERSIONS(?:\s+LIKE\s+(?P<like>{_CONSTANT}))?\s+IN\s+DATASET\s+{_NAME}{_LIMIT}",
        _show_versions,
    ),
)
"""The statements, and what executes them."""
