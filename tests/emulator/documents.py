"""Invoices in different words, and what each says."""

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
    shown = "".join(f"({_escaped(line)}) Tj T* " for line in text.splitlines())
    content = f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET"
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>"
    )
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    body += (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    )
    return body.encode("latin-1")


def _escaped(line):
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
