"""The stand-in for arctic-extract: what it finds depends on the documents."""

import pytest

from airflow_provider_cortex.emulator.extraction_model import Example, ExtractionModel, untuned
from airflow_provider_cortex.emulator.extraction_questions import Question, questions
from tests.emulator.documents import QUESTIONS, answers, invoice

ASKED = tuple(questions(QUESTIONS))


def examples(numbers):
    return tuple(Example(invoice(n), ASKED, answers(n)) for n in numbers)


def share_right(extract, numbers):
    """Return the share of right answers."""
    right = [
        extract(invoice(number), question).answer == answers(number)[question.label]
        for number in numbers
        for question in ASKED
    ]
    return sum(right) / len(right)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Total: 12.00\nTotal tax: 1.00", "12.00"),
        ("Sum of all\t1.00\nTotal\t12.00\tEUR", "12.00"),
        ("Net  10.00\nTotal  12.00", "12.00"),
        ("Total 12.00 EUR", "12.00 EUR"),
        ("Date: today\nTotal:\n12.00", "12.00"),
        ("Date: 2026-05-04    Total: 12.00", "12.00"),
        ("Amount due: 12.00", "None"),
        ("", "None"),
    ],
)
def test_an_untuned_model_finds_what_stands_after_the_words_of_the_question(text, answer):
    """After a colon, in the next column or line, or as a number; other words mean nothing to it."""
    assert untuned(text, Question("total", "What is the total?")).answer == answer


def test_a_tuned_model_learns_which_words_stand_before_an_answer():
    """So it is right where documents have other words than the question."""
    tuned = ExtractionModel(examples(range(30)))
    assert share_right(tuned.extract, range(100, 160)) == 1.0
    assert 0.2 < share_right(untuned, range(100, 160)) < 0.6


def test_words_that_also_stand_before_other_values_count_less():
    """Among the values of a document, the one after the most telling words is taken."""
    asked = Question("total", "What is it?")
    texts = [f"EUR: {n}\nPay EUR: {n + 50}" for n in range(10, 20)]
    learned = [Example(text, (asked,), {"total": text[-2:]}) for text in texts]
    assert ExtractionModel(tuple(learned)).extract("Pay EUR: 33\nEUR: 44", asked).answer == "33"


def test_an_answer_is_cut_to_the_shape_of_those_that_were_learned():
    """What follows it on its line does not belong to it."""
    asked = Question("day", "?")
    learned = Example("Shipped 2026-05-04 by mail", (asked,), {"day": "2026-05-04"})
    found = ExtractionModel((learned,)).extract("Shipped 2026-06-07 by plane", asked)
    assert found.answer == "2026-06-07"
    assert 0 < found.score < 1


def test_an_answer_may_stand_below_its_words():
    """In the next line, or as the first line of all."""
    asked = tuple(questions({"vendor": "Who?", "total": "How much?"}))
    learned = Example("ACME Ltd\nTo pay\n12.00", asked, {"vendor": "ACME Ltd", "total": "12.00"})
    tuned = ExtractionModel((learned,))
    found = [tuned.extract("Miller Co\nTo pay\n77.00", question).answer for question in asked]
    assert found == ["Miller Co", "77.00"]


def test_what_training_has_not_seen_is_answered_as_an_untuned_model_does():
    """Other questions, and documents with other words."""
    tuned = ExtractionModel(examples(range(9)))
    assert tuned.extract("Colour: red", Question("colour", "Which colour?")).answer == "red"
    assert tuned.extract("The total: 7.00", ASKED[2]).answer == "7.00"


def test_lists_and_tables_have_a_form_of_their_own():
    """A list has items; a table has columns, in the order that was asked for."""
    asked = Question("colours", "Which colours?", is_list=True)
    assert untuned("Colours: red, green and blue", asked).answer == ["red", "green", "blue"]
    assert untuned("nothing", asked).answer == []
    table = Question("items", "The items", columns={"price": "Unit price", "item": "Item"})
    text = "Item\tUnit price\tTax\nPen\t1.00\t0.10\nCup\t2.00\t0.20\nTotal\t3.00"
    assert untuned(text, table).answer == {"price": ["1.00", "2.00"], "item": ["Pen", "Cup"]}
    assert untuned("nothing", table).answer == {"price": [], "item": []}


def test_a_loss_is_the_share_of_wrong_answers():
    """Every fifth document is held out, if there are none to validate with."""
    assert ExtractionModel(examples(range(30))).training_result == {
        "validation_loss": 0.0,
        "training_loss": 0.0,
    }
    wrong = Example(invoice(1), ASKED, {"invoice_number": "X", "issued": "None", "total": "None"})
    with_wrong = ExtractionModel(examples(range(30)), validation_examples=(wrong,))
    assert with_wrong.training_result["validation_loss"] == 1.0


def test_trained_tokens_grow_with_the_epochs():
    """They count the documents, the questions and the answers."""
    one, three = (ExtractionModel(examples(range(2)), epochs=n).trained_tokens for n in (1, 3))
    assert three == 3 * one > 100
