"""The stand-in for a language model: its results depend on the data."""

import math

import pytest

from airflow_provider_cortex.emulator.tuned_model import TunedModel

PAIRS = tuple(
    (f"question {n % 2} about {topic}", topic)
    for n in range(10)
    for topic in ("parcels", "invoices", "crashes")
)


def test_the_most_similar_prompt_gives_the_completion():
    """Rare words weigh more than frequent ones."""
    assert TunedModel(PAIRS).complete("a question about my invoices") == "invoices"


def test_a_prompt_unlike_any_other_gets_the_first_completion():
    """There is always a completion, and always the same."""
    assert TunedModel(PAIRS).complete("xyzzy") == "parcels"


def test_completions_depend_on_the_training_data():
    """Other data gives other completions."""
    shouted = tuple((prompt, completion.upper()) for prompt, completion in PAIRS)
    assert TunedModel(shouted).complete("a question about my invoices") == "INVOICES"


def test_losses_are_zero_for_predictable_data():
    """If completions follow from prompts, those of unseen prompts are right, too."""
    assert TunedModel(PAIRS).training_result == {"training_loss": 0.0, "validation_loss": 0.0}


def test_losses_are_large_for_contradictory_data():
    """One prompt with many completions cannot be learned."""
    noise = tuple(("the same question", f"completion {n}") for n in range(20))
    losses = TunedModel(noise).training_result
    assert losses["training_loss"] > 0.4
    assert losses["validation_loss"] > 0.4


def test_validation_data_is_used_if_there_is_any():
    """Then no training data is held out."""
    unlike = (("question about parcels", "something else entirely"),)
    losses = TunedModel(PAIRS, validation_pairs=unlike).training_result
    assert losses == {"training_loss": 0.0, "validation_loss": 1.0}


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 2000])
def test_losses_are_finite_for_any_number_of_rows(rows):
    """Even if there is no row to hold out."""
    pairs = tuple((f"prompt {n}", f"completion {n % 3}") for n in range(rows))
    model = TunedModel(pairs)
    assert all(math.isfinite(loss) for loss in model.training_result.values())
    assert model.complete("anything") == ("completion 0" if rows else "")


def test_tokens_are_counted_once_per_epoch():
    """Trained tokens are input tokens times epochs."""
    assert (
        TunedModel(PAIRS, epochs=4).trained_tokens == 4 * TunedModel(PAIRS, epochs=1).trained_tokens
    )
