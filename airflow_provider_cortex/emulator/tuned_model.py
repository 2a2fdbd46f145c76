"""
A stand-in for a tuned language model: it returns the completion of the most similar prompt.

Everything here is invented. The results are deterministic and depend on the data: other
training data leads to other completions, losses and token counts.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

# Enough for a stable loss, and few enough to keep DESCRIBE fast.
_LARGEST_SAMPLE = 100

# "No validation query: the training data is split automatically"; the ratio is invented.
_EVERY_NTH_IS_HELD_OUT = 5

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")

Pair = tuple[str, str]
"""A prompt and its completion."""


def count_tokens(text: str) -> int:
    """Count up to four letters as one token, and each punctuation mark as one. Invented."""
    return len(_TOKEN.findall(text))


def untuned_completion(model: str) -> str:
    """Return what any base model answers."""
    return f"This is an emulated {model}. It is not tuned, so it has no real answer."


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
        """Return the weight of each word, as a vector of length 1."""
        raw = {word: n * self._weights.get(word, 1.0) for word, n in count.items()}
        length = math.hypot(*raw.values()) or 1.0
        return {word: weight / length for word, weight in raw.items()}


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
        tokens = sum(count_tokens(prompt + completion) for prompt, completion in self.pairs)
        return tokens * self.epochs

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
        nth = _EVERY_NTH_IS_HELD_OUT
        training = tuple(pair for row, pair in enumerate(self.pairs) if row % nth != nth - 1)
        return training, self.pairs[nth - 1 :: nth]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _loss(nearest: NearestPrompt, pairs: tuple[Pair, ...]) -> float:
    sample = pairs[:: math.ceil(len(pairs) / _LARGEST_SAMPLE) or 1]
    differences = [_difference(nearest.complete(prompt), wanted) for prompt, wanted in sample]
    return sum(differences) / len(differences) if differences else 0.0


def _difference(completion: str, wanted: str) -> float:
    """Return the share of words that only one of the two texts has."""
    words, wanted_words = set(_words(completion)), set(_words(wanted))
    all_words = words | wanted_words
    return len(words ^ wanted_words) / len(all_words) if all_words else 0.0
