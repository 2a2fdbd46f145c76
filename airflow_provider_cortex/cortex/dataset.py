"""
A version of a Snowflake dataset: its address, and the statements that list and add versions.

Cortex trains arctic-extract with it, instead of a query.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from airflow_provider_cortex.cortex import identifiers
from airflow_provider_cortex.cortex.identifiers import Identifier
from airflow_provider_cortex.cortex.rendered_values import text
from airflow_provider_cortex.cortex.session_settings import PACKAGE
from airflow_provider_cortex.cortex.sql import Call, for_binding, like
from airflow_provider_cortex.errors import ArgumentError, UnreadableAnswerError
from airflow_provider_cortex.safe_text import excerpt

FORM = "snow://dataset/<database>.<schema>.<name>/versions/<version>"

MAX_NAME_CHARACTERS = 128
"""Of a version: https://docs.snowflake.com/en/developer-guide/snowflake-ml/dataset."""

COLUMNS = ("file", "prompt", "response")
"""
The columns that Cortex reads, in any case:
https://docs.snowflake.com/en/user-guide/snowflake-cortex/arctic-extract-finetuning.
"""

_URI = re.compile(
    r'snow://dataset/(?P<name>(?:"(?:[^"]|"")++"|[^/"])++)/versions/(?P<version>[^/\s]+)',
    re.IGNORECASE,
)

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""A name that means the same in a statement and in an address."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class DatasetVersion:
    """
    A version of a dataset.

    :param dataset: the parts of the dataset's name, qualified or not.
    :param version: the version's name: any text, and its case matters.
    """

    dataset: tuple[Identifier, ...]
    version: str

    # Guess dataset-address: quoted parts of a dataset's name stand in its address as they do in a
    # statement. If wrong: CREATE rejects a dataset whose name needs quotes, or its job fails. No
    # live check: it needs a job with documents, which is paid for.
    @property
    def uri(self) -> str:
        """Its address, as FINETUNE takes it."""
        return f"snow://dataset/{identifiers.written(self.dataset)}/versions/{self.version}"

    @classmethod
    def parse(cls, argument: str, uri: str) -> Self:
        """
        Return the version that an address names.

        :raises ArgumentError: if it is no such address.
        """
        match = _URI.fullmatch(uri)
        dataset = identifiers.parse(match["name"]) if match else None
        if match is None or dataset is None:
            raise ArgumentError(
                argument,
                uri,
                f"must be the address of a dataset's version, {FORM}; got {excerpt(uri)!r}.",
            )
        return cls(dataset, match["version"])


@dataclass(frozen=True, kw_only=True)
class Origin:
    """
    Where a version came from, as its metadata say.

    :param proof: a hash of the task instance, the same in each of its tries.
    :param query: the digest of its query's text; see :func:`digest`.
    :param dag_id: the DAG of the task that added it; the same for the other ids.
    :param map_index: -1 for a task that is not mapped.
    :param report: the figures of its rows.
    """

    proof: str
    query: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    report: Mapping[str, Any] | None = None

    # Guess dataset-metadata: SHOW VERSIONS returns a version's name in the column `version`, and its
    # metadata, complete, in `metadata`, as snowflake-ml-python reads them. If wrong: a retry does
    # not recognize the version of an earlier try: with `adopt` it is adopted with a warning, else
    # the task fails, or adds another one.
    @property
    def metadata(self) -> str:
        """The version's metadata (guess dataset-metadata): JSON in ASCII."""
        return json.dumps({"package": PACKAGE, **asdict(self)})

    @classmethod
    def read(cls, metadata: object) -> Self | None:
        """Return what the metadata of a version say; None if they are not this package's."""
        try:
            found = json.loads(metadata) if isinstance(metadata, str) else metadata
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, Mapping) or found.get("package") != PACKAGE:
            return None
        known: Any = {name: found[name] for name in cls.__dataclass_fields__ if name in found}
        try:
            return cls(**known)
        except TypeError:  # a field is missing
            return None


@dataclass(frozen=True)
class Choice:
    """
    Which version a task returns.

    :param version: its name.
    :param exists: whether it is there; otherwise the task adds it.
    :param origin: where it came from, if it is there and its metadata say so.
    """

    version: str
    exists: bool = False
    origin: Origin | None = None


def digest(query: str) -> str:
    """Return what is the same for the same text of a query. Its rows are not compared."""
    return hashlib.sha256(query.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def version_name(argument: str, name: str) -> str:
    """
    Return a version's name.

    :raises ArgumentError: if it would not mean the same in a statement and in an address.
    """
    name = name.strip()
    if _VERSION.fullmatch(name) and len(name) <= MAX_NAME_CHARACTERS:
        return name
    raise ArgumentError(
        argument,
        name,
        "must have letters, digits, _, - and ., begin with a letter or a digit, and have at most"
        f" {MAX_NAME_CHARACTERS} characters; got {excerpt(name)!r}.",
    )


def default_name(proof: str, run_id: str) -> str:
    """
    Return the name of the version that a task instance adds: the same in each of its tries.

    :param run_id: its date makes the name legible; *proof* makes it unique.
    """
    date = _DATE.search(run_id)
    words = ["run", *([date[0].replace("-", "_")] if date else []), proof[:12]]
    return "_".join(words)


def choose(name: str, shown: Mapping[str, object], own: Origin, if_exists: str) -> Choice:
    """
    Return the version that a task returns: one that is there, or one to add.

    A version that an earlier try of this task instance added from the same query is returned in any
    case.

    :param name: of the version.
    :param shown: the dataset's versions, at least those whose names begin with *name*, and the
        metadata of each.
    :param own: where a version that the task adds comes from.
    :param if_exists: what to do with a version that is not of this task instance: ``adopt`` it,
        ``fail``, or ``create`` another one, with a suffix.
    :raises ArgumentError: if it cannot be used.
    """
    candidates = _names(name) if if_exists == "create" else [name]
    for version in candidates:
        if version not in shown:
            return Choice(version)
        origin = Origin.read(shown[version])
        is_same = origin is not None and origin.query == own.query
        if is_same and origin and (origin.proof == own.proof or if_exists == "adopt"):
            return Choice(version, exists=True, origin=origin)
        if if_exists != "create":
            break
    if origin is None and if_exists == "adopt":
        return Choice(name, exists=True)
    raise _taken(name, origin, own, if_exists)


def _names(name: str) -> Iterable[str]:
    """Yield a name, and the same with suffixes, without an end."""
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _taken(name: str, origin: Origin | None, own: Origin, if_exists: str) -> ArgumentError:
    maker = f"task {origin.dag_id}.{origin.task_id} of run {origin.run_id}" if origin else "another"
    if origin is not None and origin.proof == own.proof:
        problem = f"{name} exists, made from another query by an earlier try of this task."
    elif origin is not None and if_exists == "adopt":
        problem = f"{name} exists, and was made from another query, by {maker}."
    else:
        problem = f'{name} exists, made by {maker}, and if_exists is "fail".'
    advice = 'Choose another version, or set if_exists="create" to add one with a suffix.'
    return ArgumentError("version", name, problem, advice)


def create(dataset: tuple[Identifier, ...]) -> Call:
    """Source: https://docs.snowflake.com/en/sql-reference/sql/create-dataset."""
    return Call(f"CREATE DATASET IF NOT EXISTS {identifiers.sql(dataset)}", ())


def add_version(made: DatasetVersion, query: str, origin: Origin) -> Call:
    """
    Return the statement that adds a version.

    Source: https://docs.snowflake.com/en/sql-reference/sql/alter-dataset-add-version
    """
    return Call(
        f"ALTER DATASET {for_binding(identifiers.sql(made.dataset))} ADD VERSION %s"
        f" FROM ({for_binding(query)}) METADATA = %s",
        (text("version", made.version), text("version", origin.metadata)),
    )


def versions(dataset: tuple[Identifier, ...], name: str) -> Call:
    """
    Return the statement that lists the versions whose names begin with *name*, and maybe others.

    Source: https://docs.snowflake.com/en/sql-reference/sql/show-versions-in-dataset
    """
    sql = f"SHOW VERSIONS LIKE %s IN DATASET {for_binding(identifiers.sql(dataset))}"
    return Call(sql, (text("version", f"{like(name)}%"),), only_reads=True)


def read_versions(shown: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """
    Return the names of versions, and the metadata of each.

    :param shown: what SHOW VERSIONS lists.
    :raises UnreadableAnswerError: if it has no names (guess dataset-metadata).
    """
    found = {}
    for record in shown:
        if "version" not in record:
            raise UnreadableAnswerError("which should have a column version", dict(record))
        found[str(record["version"])] = record.get("metadata")
    return found
