"""Cortex's functions that ask a model: apart, since a DAG file checks only which one it names."""

from __future__ import annotations

from typing import Literal, get_args

CompletionFunction = Literal["AI_COMPLETE", "COMPLETE"]
COMPLETION_FUNCTIONS: tuple[str, ...] = get_args(CompletionFunction)
