"""The messages that the page of troubleshooting quotes are those of the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_cortex
from tests.docs.pages import read

PACKAGE = Path(airflow_provider_cortex.__file__).parent
GAP = "\0"
"""What stands for the parts of a message that differ."""

QUOTES = re.findall(r"^```text\n(.*?)\n```", read("troubleshooting"), re.DOTALL | re.MULTILINE)


def texts() -> Iterator[str]:
    """Yield every text in the package's code, with gaps where values are filled in."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=str(text)):
                    yield re.sub(r"%(\.\d)?[sdrif]", GAP, text)
                case ast.JoinedStr(values=parts):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else GAP for part in parts
                    )
    for file in PACKAGE.rglob("*.js"):
        text = re.sub(r"\$\{[^}]*\}", GAP, file.read_text(encoding="utf-8"))
        yield re.sub(r"`\s*\+\s*`", "", text)


@pytest.fixture(scope="module")
def code() -> str:
    """Return all texts of the code."""
    return "\n".join(" ".join(text.split()) for text in texts())


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote[:50])
def test_a_quoted_message_is_one_of_the_code(quote: str, code: str) -> None:
    """Between its placeholders, such as <job id>, a quoted message is word for word the code's."""
    words = [piece.strip(" '") for piece in re.split(r"<[^>]*>", " ".join(quote.split()))]
    assert [piece for piece in words if piece not in code] == []


def test_there_are_quotes() -> None:
    """Another form of the page would leave the test above without a case."""
    assert len(QUOTES) > 30
