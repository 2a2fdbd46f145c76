"""
What stands in for a language model: the most similar training prompt's completion.

Everything here is invented. It is deterministic and depends on the data, so that a
tuned model's answers, losses and token counts change when the data does.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

UNTUNED = "This is an emulated {model}. It has not been tuned, so it has nothing to say."

# Enough for a stable number, few enough that DESCRIBE stays quick.
_LARGEST_SAMPLE = 100

# "No validation query: the training data is split automatically"; the share is a guess.
_EVERY_NTH_IS_HELD_OUT = 5

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")

Pair = tuple[str, str]
"""A prompt and its completion."""


def count_tokens(text: str) -> int:
    """Count pieces of at most four letters, and every mark: not what any real tokenizer does."""
    return len(_TOKEN.findall(text))


class Nearest:
    """Answers with the completion of the most similar prompt, by tf-idf cosine."""

    def __init__(self, pairs: tuple[Pair, ...]) -> None:
        self._completions = [completion for _, completion in pairs]
        words = [Counter(_words(prompt)) for prompt, _ in pairs]
        holders = Counter(word for counted in words for word in counted)
        self._weights = {word: math.log(1 + len(pairs) / n) for word, n in holders.items()}
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for row, counted in enumerate(words):
            for word, weight in self._normal(counted).items():
                self._postings.setdefault(word, []).append((row, weight))

    def answer(self, prompt: str) -> str:
        """Return the best match's completion; the earliest row wins a tie."""
        scores = dict.fromkeys(range(len(self._completions)), 0.0)
        for word, weight in self._normal(Counter(_words(prompt))).items():
            for row, theirs in self._postings.get(word, ()):
                scores[row] += weight * theirs
        best = max(scores, key=scores.__getitem__)
        return self._completions[best]

    def _normal(self, counted: Counter[str]) -> dict[str, float]:
        raw = {word: n * self._weights.get(word, 1.0) for word, n in counted.items()}
        length = math.hypot(*raw.values()) or 1.0
        return {word: weight / length for word, weight in raw.items()}


@dataclass(frozen=True)
class TunedModel:
    """What a finished job leaves behind."""

    pairs: tuple[Pair, ...]
    validation_pairs: tuple[Pair, ...] = ()
    epochs: int = 3
    """The default is "determined by the system"; Snowflake's row limits are computed with 3."""

    @cached_property
    def nearest(self) -> Nearest:
        return Nearest(self.pairs)

    def answer(self, prompt: str) -> str:
        """Return the completion of the training prompt most like *prompt*."""
        return self.nearest.answer(prompt) if self.pairs else ""

    @cached_property
    def trained_tokens(self) -> int:
        """Input tokens times epochs, as documented; what a token is, is invented."""
        tokens = sum(count_tokens(prompt + completion) for prompt, completion in self.pairs)
        return tokens * self.epochs

    @cached_property
    def training_result(self) -> dict[str, float]:
        """
        How far the answers are from the completions, on seen and on unseen prompts.

        Real losses are cross-entropies; these are shares of wrong words, from 0 to 1.
        """
        seen, unseen = self._split()
        return {
            "validation_loss": _loss(Nearest(seen), unseen) if seen else 0.0,
            "training_loss": _loss(self.nearest, self.pairs) if self.pairs else 0.0,
        }

    def _split(self) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
        if self.validation_pairs:
            return self.pairs, self.validation_pairs
        nth = _EVERY_NTH_IS_HELD_OUT
        seen = tuple(pair for row, pair in enumerate(self.pairs) if row % nth != nth - 1)
        return seen, self.pairs[nth - 1 :: nth]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _loss(model: Nearest, pairs: tuple[Pair, ...]) -> float:
    sample = pairs[:: math.ceil(len(pairs) / _LARGEST_SAMPLE) or 1]
    errors = [_error(model.answer(prompt), completion) for prompt, completion in sample]
    return sum(errors) / len(errors) if errors else 0.0


def _error(answer: str, completion: str) -> float:
    """Return the share of words that only one of the two has."""
    said, wanted = set(_words(answer)), set(_words(completion))
    either = said | wanted
    return len(said ^ wanted) / len(either) if either else 0.0
