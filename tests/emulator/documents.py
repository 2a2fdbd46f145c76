"""Invoices in different words, and what each says."""

from importlib import import_module

WORDS = {
    "invoice_number": ("Invoice number:", "Rechnungs-Nr.", "Bill no:"),
    "issued": ("Date:", "Rechnungsdatum", "Issued on"),
    "total": ("Total:", "Zu zahlen", "Amount due:"),
}
"""For each label, the words that three vendors write before its answer."""

QUESTIONS = {
    "invoice_number": "What is the invoice number?",
    "issued": "On which date was the invoice issued?",
    "total": "What is the total?",
}


def answers(number):
    """Return what an invoice says, by label."""
    return {
        "invoice_number": f"R-{1000 + 7 * number}",
        "issued": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
        "total": f"{number * 13 % 900}.50 EUR",
    }


def invoice(number):
    """Return an invoice as text; which vendor has written it depends on its number."""
    right = answers(number)
    lines = [f"{words[number % 3]} {right[label]}" for label, words in WORDS.items()]
    due = f"Pay before 2027-01-{number % 28 + 1:02}."
    return "\n".join(["ACME Ltd", "Subtotal    1.00 EUR", due, *lines, "Thank you!"])


def pdf(text):
    """Return a PDF file with a few lines of text."""
    return import_module("example_dags.invoices").pdf(text.splitlines())
