"""Decode the JSON in which Cortex answers, in whatever form a client delivers it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_cortex.errors import UnreadableAnswerError


def decode(answer: object) -> object:
    """
    Return what the JSON text *answer* says, and anything but text as it is.

    Text is decoded twice at most: some clients encode an OBJECT's text once more. NaN and Infinity
    are not JSON, and would break Airflow's database and browsers: they are read as null, and so is a number that
    is too large for a float.

    :raises UnreadableAnswerError: if it is not JSON.
    """
    decoded = answer
    for _ in range(2):
        if not isinstance(decoded, str):
            break
        try:
            decoded = json.loads(decoded, parse_constant=lambda _: None, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswerError("which is not JSON", answer) from error
    return decoded


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def decode_object(answer: object) -> dict[str, Any]:
    """
    Return the object that *answer* is.

    :raises UnreadableAnswerError: if it is not JSON, or not an object.
    """
    decoded = decode(answer)
    if not isinstance(decoded, Mapping):
        raise UnreadableAnswerError("which should be an object", answer)
    return {str(key): value for key, value in decoded.items()}
