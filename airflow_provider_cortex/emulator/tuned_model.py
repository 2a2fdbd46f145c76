"""
A stand-in for a tuned language model: it returns the completion of the most similar prompt.

How similar two texts are is what AI_SIMILARITY returns, and how an untuned model judges answers.

Everything here is invented. The results are deterministic and depend on the data: other
training data leads to other completions, losses and token counts.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

# Enough for a stable loss, and few enough to keep DESCRIBE fast.
_LARGEST_SAMPLE = 100

# "No validation query: the training data is split automatically"; the ratio is invented.
_EVERY_NTH_IS_HELD_OUT = 5

_WORD = re.compile(r"\w+")

PIECE = r"[0-9A-Za-z_]{1,4}|[^0-9A-Za-z_\s\v]"
"""What counts as one token. Arrow's RE2 reads this pattern as Python does with ``re.ASCII``."""
_PIECE = re.compile(PIECE, re.ASCII)

Pair = tuple[str, str]
"""A prompt and its completion."""

Held = TypeVar("Held")


def count_tokens(text: str) -> int:
    """Count up to four ASCII letters as one token, and each other visible character. Invented."""
    return len(_PIECE.findall(text))


def untuned_completion(model: str) -> str:
    """Return what any base model answers."""
    return f"This is an emulated {model}. It is not tuned, so it has no real answer."


def similarity(a: str, b: str) -> float:
    """
    Return how much two texts have in common: the cosine of their word counts, from 0 to 1.

    Equal texts have 1, texts without a common word 0. Invented: a real one is that of embeddings,
    and from -1 to 1.
    """
    if a == b:
        return 1.0
    vector, other = (_unit_vector(Counter(_words(text)), {}) for text in (a, b))
    # Rounded, because a sum of squares of such weights may be slightly more or less than 1.
    return round(sum(weight * other.get(word, 0.0) for word, weight in vector.items()), 6)


class NearestPrompt:
    """Finds the most similar prompt, by the cosine of tf-idf vectors."""

    def __init__(self, pairs: tuple[Pair, ...]) -> None:
        self._completions = [completion for _, completion in pairs]
        counts = [Counter(_words(prompt)) for prompt, _ in pairs]
        prompts_with = Counter(word for count in counts for word in count)
        self._weights = {word: math.log(1 + len(pairs) / n) for word, n in prompts_with.items()}
        self._rows: dict[str, list[tuple[int, float]]] = {}
        """For each word, the rows that have it, and its weight there."""
        for row, count in enumerate(counts):
            for word, weight in self._vector(count).items():
                self._rows.setdefault(word, []).append((row, weight))

    def complete(self, prompt: str) -> str:
        """Return the completion of the best match; among equals, of the first row."""
        scores = dict.fromkeys(range(len(self._completions)), 0.0)
        for word, weight in self._vector(Counter(_words(prompt))).items():
            for row, row_weight in self._rows.get(word, ()):
                scores[row] += weight * row_weight
        best = max(scores, key=scores.__getitem__)
        return self._completions[best]

    def _vector(self, count: Counter[str]) -> dict[str, float]:
        return _unit_vector(count, self._weights)


@dataclass(frozen=True)
class TunedModel:
    """What a successful job produces."""

    pairs: tuple[Pair, ...]
    validation_pairs: tuple[Pair, ...] = ()
    epochs: int = 3
    """The default is "determined by the system"; Snowflake computes its row limits with 3."""

    @cached_property
    def _nearest(self) -> NearestPrompt:
        return NearestPrompt(self.pairs)

    def complete(self, prompt: str) -> str:
        """Return the completion of the training prompt that is most like *prompt*."""
        return self._nearest.complete(prompt) if self.pairs else ""

    @cached_property
    def trained_tokens(self) -> int:
        """Input tokens times epochs, as documented. The definition of a token is invented."""
        return sum(count_tokens(text) for pair in self.pairs for text in pair) * self.epochs

    @cached_property
    def training_result(self) -> dict[str, float]:
        """
        How much the model's completions differ from the given ones, as ``DESCRIBE`` reports it.

        Real losses are cross-entropies. These are shares of wrong words, from 0 to 1.
        """
        training, validation = self._split()
        return {
            "validation_loss": _loss(NearestPrompt(training), validation) if training else 0.0,
            "training_loss": _loss(self._nearest, self.pairs) if self.pairs else 0.0,
        }

    def _split(self) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
        """Return the pairs to train on and the pairs to validate with."""
        if self.validation_pairs:
            return self.pairs, self.validation_pairs
        return hold_out(self.pairs)


def hold_out(examples: tuple[Held, ...]) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """Return the examples to train on, and every fifth one, to validate with."""
    nth = _EVERY_NTH_IS_HELD_OUT
    training = tuple(each for row, each in enumerate(examples) if row % nth != nth - 1)
    return training, examples[nth - 1 :: nth]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _unit_vector(count: Counter[str], weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weight of each word, as a vector of length 1; a word without a weight has 1."""
    raw = {word: n * weights.get(word, 1.0) for word, n in count.items()}
    length = math.hypot(*raw.values()) or 1.0
    return {word: weight / length for word, weight in raw.items()}


def _loss(nearest: NearestPrompt, pairs: tuple[Pair, ...]) -> float:
    sample = pairs[:: math.ceil(len(pairs) / _LARGEST_SAMPLE) or 1]
    differences = [_difference(nearest.complete(prompt), wanted) for prompt, wanted in sample]
    return sum(differences) / len(differences) if differences else 0.0


def _difference(completion: str, wanted: str) -> float:
    """Return the share of words that only one of the two texts has."""
    words, wanted_words = set(_words(completion)), set(_words(wanted))
    all_words = words | wanted_words
    return len(words ^ wanted_words) / len(all_words) if all_words else 0.0
