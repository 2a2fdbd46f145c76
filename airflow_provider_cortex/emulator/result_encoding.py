"""
Encodes the results of DuckDB as Snowflake's drivers expect them.

fakesnow knows the types that its own translations produce. Some others reach it as well, such as
integers without a sign, lists and enums; and for fakesnow a NULL timestamp is one of 1970.
"""

import json
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from airflow_provider_cortex.emulator.sql_errors import number_out_of_range, unsupported_type

# The types of DuckDB for which fakesnow knows one of Snowflake, and others by one of these.
_KNOWN = {
    **{name: name for name in ('"NULL"', "BLOB", "BOOLEAN", "DATE", "HUGEINT", "JSON", "TIME")},
    **{name: name for name in ("TIMESTAMP WITH TIME ZONE", "VARCHAR")},
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "BIGINT"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "BIGINT"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "DOUBLE"),
    **dict.fromkeys(("TIME WITH TIME ZONE", "TIME_NS"), "TIME"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMP"),
    "UUID": "VARCHAR",
}

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NANOSECONDS = 10**9
_UTC = 1440
"""The driver reads time zones as minutes, with UTC at 1440."""


def known_type(duckdb_type: str) -> str:
    """
    Return the type that fakesnow knows for one of DuckDB.

    :raises SqlError: for a type that Snowflake does not have.
    """
    if known := _KNOWN.get(duckdb_type):
        return known
    if duckdb_type.endswith("]") or duckdb_type.startswith(("STRUCT(", "MAP(")):
        return "JSON"
    if duckdb_type.startswith("DECIMAL("):
        return duckdb_type
    if duckdb_type.startswith("ENUM("):
        return "VARCHAR"
    raise unsupported_type(duckdb_type)


def encode(table: pa.Table) -> pa.Table:
    """
    Return *table* with the types in which drivers read it.

    :raises SqlError: for a number with more digits than Snowflake's can have.
    """
    return pa.Table.from_arrays([_encoded(c) for c in table.columns], names=table.column_names)


def _encoded(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    for is_type, encoded in _ENCODINGS:
        if is_type(column.type):
            return encoded(column)
    return column


def _checked(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # 128 bits have room for some numbers of 39 digits.
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise number_out_of_range() from error
    return column


def _timestamps(column: pa.ChunkedArray) -> pa.Array:
    """Return structs of whole seconds, nanoseconds, and the time zone if there is one."""
    per_second = _PER_SECOND[column.type.unit]
    moments = column.combine_chunks().cast(pa.int64())
    missing = moments.is_null()
    moments = moments.fill_null(0)
    seconds = pc.divide(moments, per_second)  # rounds towards zero
    rest = pc.subtract(moments, pc.multiply(seconds, per_second))
    is_before = pc.less(rest, 0)
    seconds = pc.if_else(is_before, pc.subtract(seconds, 1), seconds)
    rest = pc.if_else(is_before, pc.add(rest, per_second), rest)
    parts = {
        "epoch": seconds,
        "fraction": pc.multiply(rest, _NANOSECONDS // per_second).cast(pa.int32()),
    }
    if column.type.tz:
        parts["timezone"] = pa.array([_UTC] * len(moments), pa.int32())
    fields = [pa.field(name, part.type, nullable=False) for name, part in parts.items()]
    return pa.StructArray.from_arrays(list(parts.values()), fields=fields, mask=missing)


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    factor = _NANOSECONDS // _PER_SECOND[column.type.unit]
    return pc.multiply(column.cast(pa.int64()), factor)


def _json_texts(column: pa.ChunkedArray) -> pa.Array:
    values = column.to_pylist(maps_as_pydicts="lossy")
    return pa.array([None if value is None else _json_text(value) for value in values], pa.string())


def _json_text(value: object) -> str:
    return json.dumps(value, default=_json_value, ensure_ascii=False, separators=(",", ":"))


def _json_value(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _cast(to: pa.DataType) -> Callable[[pa.ChunkedArray], pa.ChunkedArray]:
    return lambda column: column.cast(to)


_ENCODINGS: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], pa.Array]]] = [
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_time, _times),
    (pa.types.is_uint64, _cast(pa.decimal128(20))),
    (pa.types.is_unsigned_integer, _cast(pa.int64())),
    (pa.types.is_float32, _cast(pa.float64())),
    (pa.types.is_decimal128, _checked),
    (pa.types.is_dictionary, _cast(pa.string())),
    (pa.types.is_nested, _json_texts),
]
