"""Whether a connection has changed since its login was rejected."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

FILE_FIELDS = ("private_key_file", "token_file_path")
"""Fields of a connection's extra that name a file with a credential."""

MAX_FILE_BYTES = 65_536


def fingerprint(connection: Any) -> bytes:
    """
    Return a hash of a connection and of the files that it names.

    It is compared, and never stored or logged: a short password could be found from it by trying.

    :param connection: Airflow's.
    """
    extra: dict[str, Any] = connection.extra_dejson
    fields = (connection.host, connection.port, connection.schema, connection.login)
    parts = [repr((*fields, connection.password)).encode(), repr(sorted(extra.items())).encode()]
    for name in FILE_FIELDS:
        path = extra.get(name) or extra.get(f"extra__snowflake__{name}")
        if isinstance(path, str):
            parts.append(_content(path))
    digest = sha256()
    for part in parts:
        digest.update(sha256(part).digest())
    return digest.digest()


def _content(path: str) -> bytes:
    with suppress(OSError, ValueError), Path(path).open("rb") as file:
        return file.read(MAX_FILE_BYTES)
    return b""
