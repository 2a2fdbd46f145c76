"""The text of documents."""

import pytest

from airflow_provider_cortex.emulator.document_text import DocumentError, text_of
from tests.emulator.documents import pdf


@pytest.mark.parametrize(
    ("path", "content", "text"),
    [
        ("a.txt", b"Total: 1.00\n", "Total: 1.00\n"),
        ("dir/A.MD", "Größe".encode(), "Größe"),
        ("a.txt", b"\xff!", "\ufffd!"),
        ("a.pdf", pdf("Total: (1.00)\nDate: today"), "Total: (1.00)\nDate: today\n"),
    ],
)
def test_a_document_has_its_text(path, content, text):
    """The end of its name says what it is; the case does not matter."""
    assert text_of(path, content) == text


def test_html_has_the_text_that_a_browser_shows():
    """With a line for each block, and a tab before each cell."""
    html = b"""<html><head><title>Bill</title><style>p { color: red }</style></head><body>
    <p>Total &amp; tax:
       <b>1.00</b></p><table><tr><td>Item</td><td>Price</td></tr></table>
    <script>Total: 2.00</script></body></html>"""
    lines = [line.strip() for line in text_of("a.html", html).splitlines()]
    assert [line for line in lines if line] == ["Bill", "Total & tax: 1.00", "Item\tPrice"]


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("a.pdf", b"Not a PDF.", "Cannot read the file a.pdf"),
        ("a.pdf", pdf("Total: 1.00")[:200], "Cannot read the file a.pdf"),
        ("scan.PNG", b"", "does not emulate reading PNG files"),
        ("a.docx", b"", "does not emulate reading DOCX files"),
        ("a.exe", b"", "Unsupported file format"),
        ("a", b"", "Unsupported file format"),
    ],
)
def test_a_document_that_cannot_be_read_says_why(path, content, reason):
    """A broken file, and what the emulator or Snowflake does not read."""
    with pytest.raises(DocumentError, match=reason):
        text_of(path, content)
