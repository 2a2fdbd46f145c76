"""Decode the JSON in Cortex's answers, in any form in which a client delivers it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_cortex.errors import UnreadableAnswerError


def decode(answer: object) -> object:
    """
    Return the value of JSON text; any other value is returned as it is.

    Some clients encode the text of an OBJECT a second time, so text is decoded up to twice. NaN,
    Infinity and numbers too large for a float become None: they are not valid JSON, and would
    break Airflow's database and browsers.

    :raises UnreadableAnswerError: if the text is not JSON.
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


def decode_object(answer: object) -> dict[str, Any]:
    """
    Return an answer that is a JSON object.

    :raises UnreadableAnswerError: if it is not JSON, or not an object.
    """
    decoded = decode(answer)
    if not isinstance(decoded, Mapping):
        raise UnreadableAnswerError("which should be an object", answer)
    return dict(decoded)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
