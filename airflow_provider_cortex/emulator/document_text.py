"""The text of a document: plain text, HTML and PDF."""

import io
import logging
import re
from html.parser import HTMLParser
from pathlib import PurePosixPath

_PLAIN = {".txt", ".text", ".md"}
_HTML = {".htm", ".html"}
_PDF = {".pdf"}

# Snowflake reads them, and the emulator does not.
_NOT_EMULATED = {
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"),
    *(".doc", ".docx", ".ppt", ".pptx", ".eml"),
}

# After these, text stands on a line of its own.
_BLOCKS = {"br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "table", "title", "tr"}
_CELLS = {"td", "th", "dt", "dd"}
_HIDDEN = {"script", "style"}

_BLANKS = re.compile(r"\s+")

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # a broken file is an answer, not a warning


class DocumentError(Exception):
    """A document that has no readable text; the text says why."""


def text_of(path: str, content: bytes) -> str:
    """
    Return the text of a document; the end of its name says what it is.

    :raises DocumentError: if it cannot be read.
    """
    kind = PurePosixPath(path).suffix.lower()
    if kind in _PDF:
        return _pdf(path, content)
    if kind in _HTML:
        reader = _HtmlText()
        reader.feed(content.decode(errors="replace"))
        reader.close()
        return "".join(reader.parts)
    if kind in _PLAIN:
        return content.decode(errors="replace")
    if kind in _NOT_EMULATED:
        message = f"the emulator does not emulate reading {kind[1:].upper()} files: {path}"
        raise DocumentError(message)
    message = f"Unsupported file format: {path}"
    raise DocumentError(message)


def _pdf(path: str, content: bytes) -> str:
    # Imported here: it takes a third of a second, and few use it.
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        message = f"Cannot read the file {path}: {error}"
        raise DocumentError(message) from error


class _HtmlText(HTMLParser):
    """Collects the visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in _CELLS:
            self.parts.append("\t")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(_BLANKS.sub(" ", data))
