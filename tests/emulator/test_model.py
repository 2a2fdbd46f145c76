"""The stand-in for a language model: invented, but a function of the data."""

import math

import pytest

from airflow_provider_cortex.emulator.model import TunedModel

PAIRS = tuple(
    (f"question {n % 2} about {topic}", topic)
    for n in range(10)
    for topic in ("parcels", "invoices", "crashes")
)


def test_answers_come_from_the_most_similar_prompt():
    """Rare words weigh more than common ones."""
    assert TunedModel(PAIRS).answer("a question about my invoices") == "invoices"


def test_a_prompt_unlike_any_other_gets_the_first_completion():
    """There is always an answer, and always the same."""
    assert TunedModel(PAIRS).answer("xyzzy") == "parcels"


def test_other_data_makes_another_model():
    """What comes back depends on what was trained on."""
    turned = tuple((prompt, completion.upper()) for prompt, completion in PAIRS)
    assert TunedModel(turned).answer("a question about my invoices") == "INVOICES"


def test_losses_are_small_for_data_that_can_be_learnt():
    """Completions that follow from the prompts can be guessed for unseen ones."""
    assert TunedModel(PAIRS).training_result == {"training_loss": 0.0, "validation_loss": 0.0}


def test_losses_are_large_for_data_that_cannot():
    """Contradictory completions cannot even be remembered."""
    noise = tuple(("the same question", f"answer number {n}") for n in range(20))
    losses = TunedModel(noise).training_result
    assert losses["training_loss"] > 0.4
    assert losses["validation_loss"] > 0.4


def test_a_validation_set_is_used_if_there_is_one():
    """Then nothing is held out of the training data."""
    unlike = (("question about parcels", "something else entirely"),)
    losses = TunedModel(PAIRS, validation_pairs=unlike).training_result
    assert losses == {"training_loss": 0.0, "validation_loss": 1.0}


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 2000])
def test_losses_are_finite_for_any_number_of_rows(rows):
    """Also where there is nothing to hold out."""
    pairs = tuple((f"prompt {n}", f"completion {n % 3}") for n in range(rows))
    model = TunedModel(pairs)
    assert all(math.isfinite(loss) for loss in model.training_result.values())
    assert model.answer("anything") == ("completion 0" if rows else "")


def test_tokens_are_counted_once_per_epoch():
    """Trained tokens are input tokens times epochs."""
    assert (
        TunedModel(PAIRS, epochs=4).trained_tokens == 4 * TunedModel(PAIRS, epochs=1).trained_tokens
    )
