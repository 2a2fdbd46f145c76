"""
Directory tables: CREATE STAGE with DIRECTORY, ALTER STAGE … REFRESH, and DIRECTORY(@stage).

https://docs.snowflake.com/en/user-guide/data-load-dirtables-manage
https://docs.snowflake.com/en/sql-reference/sql/alter-stage
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from airflow_provider_cortex.emulator import (
    json_rows,
    name_resolution,
    setup_results,
    staged_files,
    statement_text,
)
from airflow_provider_cortex.emulator.model_statements import literal_value
from airflow_provider_cortex.emulator.name_resolution import NameKey
from airflow_provider_cortex.emulator.sql_errors import no_directory_table, unknown_object
from airflow_provider_cortex.emulator.staged_files import StagedFiles

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.sql_engine import SqlSession

_COLUMNS = {
    "RELATIVE_PATH": "VARCHAR",
    "SIZE": "BIGINT",
    "LAST_MODIFIED": json_rows.TIMESTAMP,
    "MD5": "VARCHAR",
    "ETAG": "VARCHAR",
    "FILE_URL": "VARCHAR",
}
_REFRESH_COLUMNS = ("file", "status", "description")

_OPTION = re.compile(
    r"\s\b(?P<option>DIRECTORY|ENCRYPTION)\s*=\s*\((?P<values>[^()]*)\)", re.IGNORECASE
)

Record = Mapping[str, object]


@dataclass(slots=True)
class _DirectoryTable:
    """The directory table of one stage."""

    auto_refresh: bool
    records: dict[str, Record] = field(default_factory=dict)
    """What the last refresh has seen, by path."""


@dataclass(slots=True)
class DirectoryTables:
    """The directory tables of one account."""

    files: StagedFiles
    _tables: dict[NameKey, _DirectoryTable] = field(default_factory=dict)

    def set(self, stage: NameKey, options: str) -> None:
        """Enable or disable the directory table of a stage. *options* are as CREATE has them."""
        if not _is_true(options, "ENABLE"):
            self._tables.pop(stage, None)
            return
        table = self._tables.setdefault(stage, _DirectoryTable(auto_refresh=False))
        table.auto_refresh = _is_true(options, "AUTO_REFRESH")

    def forget(self, names: NameKey) -> None:
        """Remove the directory tables of a database, a schema or a stage."""
        for stage in [each for each in self._tables if each[: len(names)] == names]:
            del self._tables[stage]

    def records(self, stage: NameKey) -> list[Record]:
        """
        Return the rows of a directory table, by path.

        :raises SqlError: if the stage has none.
        """
        table = self._table(stage)
        if table.auto_refresh:
            self.refresh(stage)
        return [record for _, record in sorted(table.records.items())]

    def refresh(self, stage: NameKey, subpath: str = "") -> list[tuple[str, str, str]]:
        """Read the stage, and return the changes: path, status and description."""
        table = self._table(stage)
        prefix = f"{subpath.strip('/')}/" if subpath.strip("/") else ""
        old = {path: each for path, each in table.records.items() if path.startswith(prefix)}
        new = {file.path: _record(file) for file in self.files.all(stage, prefix)}
        for path in old:
            del table.records[path]
        table.records.update(new)
        return list(_changes(old, new))

    def _table(self, stage: NameKey) -> _DirectoryTable:
        if stage not in self._tables:
            raise no_directory_table(".".join(stage))
        return self._tables[stage]


def _record(file: staged_files.StagedFile) -> Record:
    md5 = file.md5  # reads the file
    return {
        "RELATIVE_PATH": file.path,
        "SIZE": file.size,
        "LAST_MODIFIED": file.modified.isoformat(),
        "MD5": md5,
        "ETAG": md5,
        "FILE_URL": file.url,
    }


def _changes(old: Mapping[str, Record], new: Mapping[str, Record]) -> "list[tuple[str, str, str]]":
    # Guess refresh-description: the descriptions of a refresh; its statuses are documented. If
    # wrong: real clients see other texts. No live check: it would need a stage with files.
    changes = []
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            changes.append((path, "REGISTERED_NEW", "File registered successfully."))
        elif path not in new:
            changes.append((path, "UNREGISTERED", "File unregistered successfully."))
        elif old[path] != new[path]:
            changes.append((path, "REGISTERED_UPDATE", "File registered successfully."))
    return changes


def _is_true(options: str, name: str) -> bool:
    return bool(re.search(rf"\b{name}\s*=\s*TRUE\b", options, re.IGNORECASE))


def replace_tables(statement: Expr, session: "SqlSession") -> Expr:
    """Replace each DIRECTORY(@stage) by the rows of that table."""
    for node in list(statement.find_all(exp.DirectoryStage)):
        written = node.this.name
        if written.startswith("'"):
            written = written[1:-1]
        at = staged_files.location(written, session.namespace)
        if at is None or not session.has_stage(at[0]):
            raise unknown_object("Stage", written)
        rows = json_rows.select(session.engine.directory_tables.records(at[0]), _COLUMNS)
        table = node.parent
        if isinstance(table, exp.Table):
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier("_directory"))
            table.replace(exp.Subquery(this=rows, alias=alias))
    return statement


def _key(session: "SqlSession", match: re.Match[str], statement: str) -> NameKey:
    return name_resolution.qualified_key(match["name"], session.namespace, statement=statement)


def _create(session: "SqlSession", match: re.Match[str]) -> str:
    """Note the directory table, and let fakesnow create the stage without these options."""
    key = _key(session, match, "CREATE STAGE")
    tables = session.engine.directory_tables
    if match["or_replace"] or not session.has_stage(key):
        tables.forget(key)
        for option in _OPTION.finditer(match["options"]):
            if option["option"].upper() == "DIRECTORY":
                tables.set(key, option["values"])
    return match["head"] + _OPTION.sub(" ", match["options"])


def _refresh(session: "SqlSession", match: re.Match[str]) -> str:
    key = _existing(session, match)
    if key is None:
        return setup_results.status(setup_results.SUCCESS)
    subpath = literal_value(match["subpath"][1:-1]) if match["subpath"] else ""
    changes = session.engine.directory_tables.refresh(key, subpath or "")
    return setup_results.select(_REFRESH_COLUMNS, changes)


def _set(session: "SqlSession", match: re.Match[str]) -> str:
    if (key := _existing(session, match)) is not None:
        session.engine.directory_tables.set(key, match["values"])
    return setup_results.status(setup_results.SUCCESS)


def _existing(session: "SqlSession", match: re.Match[str]) -> NameKey | None:
    """Return the name of the stage to alter; None if it is missing and may be."""
    key = _key(session, match, "ALTER STAGE")
    if session.has_stage(key):
        return key
    if match["if_exists"]:
        return None
    raise unknown_object("Stage", ".".join(key))


_NAME = rf"(?P<name>{statement_text.NAME})"
_ALTER = rf"ALTER\s+STAGE\s+(?P<if_exists>IF\s+EXISTS\s+)?{_NAME}\s+"

_CREATE = (
    r"(?P<head>CREATE\s+(?P<or_replace>OR\s+REPLACE\s+)?(?:(?:TEMP|TEMPORARY)\s+)?STAGE\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?{_NAME})(?P<options>(?:\s.*)?)"
)

STATEMENTS: "tuple[tuple[str, Callable[[SqlSession, re.Match[str]], str]], ...]" = (
    (_CREATE, _create),
    (rf"{_ALTER}REFRESH(?:\s+SUBPATH\s*=\s*(?P<subpath>{statement_text.CONSTANT}))?", _refresh),
    (rf"{_ALTER}SET\s+DIRECTORY\s*=\s*\((?P<values>[^()]*)\)", _set),
)
"""The statements, and what executes them."""
