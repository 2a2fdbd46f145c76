"""
What a base model answers that is asked for an object with numbers: a judgement.

Invented, so that tests can have a model judge the answers of another one. The results are
deterministic, and a better answer gets a better number.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_cortex.emulator.sql_errors import invalid_arguments
from airflow_provider_cortex.emulator.tuned_model import similarity

_NUMBERS = {"integer", "number"}


def properties(response_format: object) -> Mapping[str, Mapping[str, Any]]:
    """
    Return the properties of a response format: an object, or JSON.

    :raises SqlError: if it has none.
    """
    if isinstance(response_format, str):
        response_format = json.loads(response_format)
    match response_format:
        case {"schema": {"properties": dict(found)}}:
            return found
    raise invalid_arguments(of="AI_COMPLETE", got=response_format)


def judgement(model: str, prompt: str, response_format: object) -> str | None:
    """
    Return an object for a response format with numbers, as JSON; None for any other format.

    Each number is the similarity of the sections ``<expected>…</expected>`` and
    ``<answer>…</answer>`` of *prompt*, scaled to the property's minimum and maximum, which are 0
    and 1 by default. Without the sections it is the minimum. Each text is a short sentence.
    """
    wanted = properties(response_format)
    if not any(kind.get("type") in _NUMBERS for kind in wanted.values()):
        return None
    expected, answer = _section("expected", prompt), _section("answer", prompt)
    score = 0.0 if expected is None or answer is None else similarity(expected, answer)
    sentence = f"This is an emulated {model}: it compares words. The similarity is {score:.2f}."
    values: dict[str, object] = {}
    for name, kind in wanted.items():
        if kind.get("type") in _NUMBERS:
            values[name] = _scaled(score, kind)
        elif kind.get("type") == "string":
            values[name] = sentence
    return json.dumps(values)


def _section(name: str, prompt: str) -> str | None:
    """Return the text of the last section with this name, without spaces around it."""
    found = re.findall(f"<{name}>((?:(?!<{name}>).)*?)</{name}>", prompt, re.DOTALL)
    return found[-1].strip() if found else None


def _scaled(score: float, kind: Mapping[str, Any]) -> float:
    least = kind.get("minimum", 0)
    most = max(kind.get("maximum", 1), least)
    value = least + (most - least) * score
    return round(value) if kind["type"] == "integer" else float(value)
