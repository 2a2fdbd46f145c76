"""Arguments in the forms in which templates, XComs and databases have them."""

import json
import math
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_cortex.cortex.arguments import (
    is_number,
    json_number,
    mapping,
    number,
    one_cell,
)
from airflow_provider_cortex.errors import ArgumentError, UnsupportedValueError


@pytest.mark.parametrize("value", [0, -1.5, Decimal("0.9"), Fraction(1, 3), math.nan])
def test_number_of_any_type(value: object) -> None:
    """A number is one of any real type, whatever its value."""
    assert is_number(value)


@pytest.mark.parametrize("value", [True, False, None, "1", 1j, [1], b"1"])
def test_what_is_no_number(value: object) -> None:
    """A bool is no number, though Python counts it among them; neither is text, nor what is not real."""
    assert not is_number(value)


def test_numbers_of_numpy() -> None:
    """NumPy's numbers are numbers, its booleans are none."""
    numpy = pytest.importorskip("numpy")
    assert is_number(numpy.float32(1))
    assert is_number(numpy.int8(1))
    assert not is_number(numpy.bool_(True))
    assert number("limit", numpy.float64(0.9)) == 0.9
    assert type(number("limit", numpy.int64(2))) is float
    with pytest.raises(ArgumentError):
        number("limit", numpy.bool_(True))
    with pytest.raises(ArgumentError):
        number("limit", numpy.float32("nan"))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, 0),
        (0.9, 0.9),
        (Decimal("0.9"), 0.9),
        (Fraction(9, 10), 0.9),
        ("0.9", 0.9),
        (" 1e3\n", 1000),
        ([(Decimal("0.9"),)], 0.9),
        ([["0.9"]], 0.9),
        ({"LIMIT": 1}, 1),
        ("[(0.9,)]", 0.9),
        ("[['0.9']]", 0.9),
        ("[(Decimal('0.9'),)]", 0.9),
        ("(Decimal('0.9'),)", 0.9),
        ("[{'LIMIT': Decimal('1E+2')}]", 100),
    ],
    ids=repr,
)
def test_number(value: object, found: float) -> None:
    """A limit may be any number, text that says one, or the one cell of a result, also as text."""
    assert number("limit", value) == pytest.approx(found)
    assert type(number("limit", value)) is float


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, None, "", "None", "low", "True", "0x10", b"1", 1j, {1}, object()),
        *(-1, -0.1, "-1", Decimal("-0.1"), math.inf, "inf", 10**400, "1e400", Decimal("1e400")),
        *(math.nan, "nan", Decimal("NaN"), Decimal("sNaN"), [(True,)], [(None,)], "[(True,)]"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_number_that_is_none(value: object) -> None:
    """What is no finite number from 0 up is rejected by the argument's name, and shown in a bounded piece."""
    with pytest.raises(ArgumentError, match=r"^limit must be a number, at least 0") as error:
        number("limit", value)
    assert error.value.argument == "limit"
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("value", ["ft_1", 7, None, True, "a, b", "it's [1]", "a(b)", "", b"x"])
def test_value_that_is_no_result(value: object) -> None:
    """What is no query's result stays as it is."""
    assert one_cell("job", value) is value


@pytest.mark.parametrize(
    "result",
    [
        *([("ft_1",)], [["ft_1"]], ("ft_1",), ["ft_1"], [{"ID": "ft_1"}], {"ID": "ft_1"}),
        *([OrderedDict(ID="ft_1")], [MappingProxyType({"ID": "ft_1"})], [[["ft_1"]]]),
        *("[('ft_1',)]", "[['ft_1']]", "('ft_1',)", "['ft_1']", "[{'ID': 'ft_1'}]"),
        *("{'ID': 'ft_1'}", '[["ft_1"]]', '[{"ID": "ft_1"}]', ' \n[("ft_1",)] '),
    ],
    ids=repr,
)
def test_one_cell(result: object) -> None:
    """A result of one row of one cell is that cell, in the forms of Airflow's handlers, and of templates."""
    assert one_cell("job", result) == "ft_1"


@pytest.mark.parametrize("nothing", [[(None,)], [[None]], "[(None,)]", "[[null]]"], ids=repr)
def test_cell_that_says_nothing(nothing: object) -> None:
    """A cell that is NULL is None, which is for the argument to reject."""
    assert one_cell("job", nothing) is None


@pytest.mark.parametrize(
    ("result", "size"),
    [
        *(([], 0), ((), 0), ({}, 0), ([()], 0), ("[]", 0), ("()", 0), ("[()]", 0)),
        *(([("a",), ("b",)], 2), ([("a", "b", "c")], 3), ([{"A": 1, "B": 2}], 2)),
        *(("[('a',), ('b',)]", 2), ('[["a", "b"]]', 2), ('[["a", null, true]]', 3)),
        *(("[(Decimal('1'), Decimal('2'))]", 2), ("[('a', datetime.date(2026, 1, 1))]", 2)),
    ],
    ids=repr,
)
def test_more_or_less_than_one_cell(result: object, size: int) -> None:
    """A result of another size is rejected by the argument's name, with what to select."""
    with pytest.raises(ArgumentError, match=r"^job must be one value") as error:
        one_cell("job", result)
    assert f"it is a result of {size} rows or columns" in str(error.value)
    assert "SELECT … LIMIT 1" in str(error.value)


def test_where_a_result_came_from() -> None:
    """The error shows what stands in the DAG file, if that is known, and of that a bounded piece."""
    with pytest.raises(ArgumentError, match=r"'\{\{ rows \}\}' gave a result of 2 rows"):
        one_cell("job", ["a", "b"], "{{ rows }}")
    with pytest.raises(ArgumentError) as error:
        one_cell("job", ["a" * 9999, "b"], "{{ rows }}" * 9999)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "text",
    [
        "[('ft_1', datetime.datetime(2026, 1, 1, tzinfo=pytz.FixedOffset(-420)))]",
        "[('ft_1', datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo(key='UTC')))]",
        "[('ft_1', <memory at 0x7f2b3c>)]",
        "[('ft_1',), ('ft_2',",
        "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_result_that_nobody_can_read(text: str) -> None:
    """Text that begins as a result does is no id and no name: it is rejected, and shown in a bounded piece."""
    with pytest.raises(ArgumentError, match=r"^job must be one value") as error:
        one_cell("job", text)
    assert "SELECT … LIMIT 1" in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, None),
        ("null", None),
        ({}, {}),
        ("{}", {}),
        ({"a": 1}, {"a": 1}),
        (' {"a": [1, "b"]}\n', {"a": [1, "b"]}),
        (MappingProxyType({"a": 1}), {"a": 1}),
    ],
    ids=repr,
)
def test_mapping(given: Any, found: Any) -> None:
    """An object may be given as one, as JSON text, or not at all."""
    assert mapping("options", given) == found


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        *(("", "str"), (" ", "str"), ("None", "str"), ("{'a': 1}", "str"), ('{"a": 1', "str")),
        *(("a=1", "str"), ("[" * 100_000, "str"), ("[1]", "list"), ("7", "int"), ('"a"', "str")),
        *(([], "list"), (["a"], "list"), (7, "int"), (True, "bool"), (b"{}", "bytes")),
        *((False, "bool"), (0, "int"), ("true", "bool")),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_mapping(given: object, kind: str) -> None:
    """What is none is rejected by the argument's name, with the way out, and is not shown: it may be a secret."""
    with pytest.raises(UnsupportedValueError, match=r"^options cannot be sent") as error:
        mapping("options", given)
    assert f"of type {kind}" in str(error.value)
    assert "| tojson" in str(error.value)
    assert len(str(error.value)) < 300


def test_mapping_is_not_shown() -> None:
    """The text of an object that cannot be read is not in the error."""
    with pytest.raises(UnsupportedValueError) as error:
        mapping("session_parameters", "{'token': 'hush'}")
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.5"), "0.5"),
        (Decimal(3), "3"),
        (Decimal("3.00"), "3"),
        (Decimal("1E+3"), "1000"),
        (Decimal(2**63 + 1), str(2**63 + 1)),
        (Fraction(1, 2), "0.5"),
        (Fraction(4, 2), "2"),
    ],
    ids=repr,
)
def test_number_in_json(value: object, text: str) -> None:
    """A number that JSON has not is the same number in JSON: a whole one is whole."""
    assert json.dumps({"a": [value]}, default=json_number) == f'{{"a": [{text}]}}'


def test_number_of_numpy_in_json() -> None:
    """So it is with NumPy's."""
    numpy = pytest.importorskip("numpy")
    values = [numpy.int64(3), numpy.float32(0.5), numpy.float64(2)]
    assert json.loads(json.dumps(values, default=json_number)) == [3, 0.5, 2]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")], ids=repr)
def test_number_that_json_has_not(value: object) -> None:
    """NaN and Infinity are not JSON, of whatever type they are."""
    with pytest.raises((TypeError, ValueError)):
        json.dumps(value, default=json_number, allow_nan=False)


@pytest.mark.parametrize("value", [object(), {1}, b"a", 1j])
def test_what_json_has_not(value: object) -> None:
    """Anything else is what json.dumps says it is, by its type."""
    with pytest.raises(TypeError, match=type(value).__name__):
        json.dumps(value, default=json_number)
