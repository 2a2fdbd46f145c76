"""Arguments are read in the forms of templates, XComs and databases."""

import json
import math
from collections import OrderedDict
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_cortex.cortex.rendered_values import (
    is_number,
    json_number,
    mapping,
    number,
    one_cell,
    text,
)
from airflow_provider_cortex.errors import ArgumentError, UnsupportedValueError


@pytest.mark.parametrize("value", [0, -1.5, Decimal("0.9"), Fraction(1, 3), math.nan])
def test_a_number_may_have_any_real_type(value: object) -> None:
    """Its value does not matter."""
    assert is_number(value)


@pytest.mark.parametrize("value", [True, False, None, "1", 1j, [1], b"1"])
def test_bools_text_and_complex_numbers_are_not_numbers(value: object) -> None:
    """Python counts a bool as a number."""
    assert not is_number(value)


def test_a_number_may_be_numpys() -> None:
    """NumPy's booleans are not numbers."""
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
def test_a_limit_may_have_any_numeric_form(value: object, found: float) -> None:
    """It may be a number, its text, or a result of one cell, also as text."""
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
def test_an_invalid_number_is_rejected(value: object) -> None:
    """The error names the argument, and shortens a long value."""
    with pytest.raises(ArgumentError, match=r"^limit must be a number, at least 0") as error:
        number("limit", value)
    assert error.value.argument == "limit"
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("value", ["ft_1", 7, None, True, "a, b", "it's [1]", "a(b)", "", b"x"])
def test_a_value_that_is_not_a_result_stays_as_it_is(value: object) -> None:
    """Text with brackets inside is not a result."""
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
def test_a_result_of_one_cell_becomes_the_cell(result: object) -> None:
    """In the forms of Airflow's handlers, and as templates render them."""
    assert one_cell("job", result) == "ft_1"


@pytest.mark.parametrize("result", [[(None,)], [[None]], "[(None,)]", "[[null]]"], ids=repr)
def test_a_null_cell_becomes_none(result: object) -> None:
    """The argument's own check then rejects it."""
    assert one_cell("job", result) is None


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
def test_a_result_of_another_size_is_rejected(result: object, size: int) -> None:
    """The error names the argument, and says what to select."""
    with pytest.raises(ArgumentError, match=r"^job must be one value") as error:
        one_cell("job", result)
    assert f"got a result of {size} rows or columns." in str(error.value)
    assert "SELECT … LIMIT 1" in str(error.value)


def test_the_error_shows_where_a_result_came_from() -> None:
    """It quotes the DAG file, shortened."""
    with pytest.raises(ArgumentError, match=r"got a result of 2 rows .* from '\{\{ rows \}\}'"):
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
def test_a_result_that_cannot_be_parsed_is_rejected(text: str) -> None:
    """Text that starts like a result is neither an id nor a name."""
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
def test_a_mapping_may_be_json_text(given: Any, found: Any) -> None:
    """It may also be left out."""
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
def test_anything_but_a_mapping_is_rejected(given: object, kind: str) -> None:
    """The error names the argument and a fix, but not the value: it may be a secret."""
    with pytest.raises(UnsupportedValueError, match=r"^options cannot be sent") as error:
        mapping("options", given)
    assert f"of type {kind}" in str(error.value)
    assert "| tojson" in str(error.value)
    assert len(str(error.value)) < 300


def test_the_error_does_not_show_the_mapping() -> None:
    """Its text may be a secret."""
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
def test_a_number_that_json_lacks_is_converted(value: object, text: str) -> None:
    """A whole number stays whole."""
    assert json.dumps({"a": [value]}, default=json_number) == f'{{"a": [{text}]}}'


def test_a_number_of_numpy_is_converted_for_json() -> None:
    """As for other types of numbers."""
    numpy = pytest.importorskip("numpy")
    values = [numpy.int64(3), numpy.float32(0.5), numpy.float64(2)]
    assert json.loads(json.dumps(values, default=json_number)) == [3, 0.5, 2]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")], ids=repr)
def test_nan_and_infinity_are_rejected_for_json(value: object) -> None:
    """JSON has neither, whatever their type."""
    with pytest.raises((TypeError, ValueError)):
        json.dumps(value, default=json_number, allow_nan=False)


@pytest.mark.parametrize("value", [object(), {1}, b"a", 1j])
def test_anything_but_a_number_is_rejected_for_json(value: object) -> None:
    """The error names its type, as json.dumps does."""
    with pytest.raises(TypeError, match=type(value).__name__):
        json.dumps(value, default=json_number)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([7], "type list"),
        (None, "type NoneType"),
        ("a\0b", "a NUL character"),
        ("\ud800", "half a surrogate pair"),
    ],
)
def test_text_that_would_change_on_its_way_is_rejected(value: object, problem: str) -> None:
    """The error says why, and does not quote the text."""
    with pytest.raises(UnsupportedValueError, match=f"^prompt .*{problem}") as error:
        text("prompt", value)
    assert error.value.value is value


def test_all_other_text_is_sent_as_it_is() -> None:
    """A member of an enum by its value, characters beyond 16 bits unchanged, a number as text."""
    color = StrEnum("color", {"RED": "red"})
    assert type(text("prompt", color["RED"])) is str
    assert text("prompt", color["RED"]) == "red"
    assert text("prompt", "\ud7ff\ue000\U0001f600") == "\ud7ff\ue000\U0001f600"
    assert text("prompt", 2024) == "2024"
