"""The Python and shell blocks on the pages work as printed."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from airflow_provider_cortex.__main__ import get_parser
from airflow_provider_cortex.emulator import __main__ as emulator
from tests.docs.pages import CHECKOUT, PAGES, name

MAKE_TARGETS = set(re.findall(r"^([\w-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def check_shell(example: Example) -> None:
    """A block of shell parses, and its commands accept their arguments."""
    script = example.parsed
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for words in commands(script):
        while words and re.fullmatch(r"\w+=.*", words[0], re.DOTALL):
            del words[0]
        check_command(words)


def commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command; of compound ones, each line."""
    pending = ""
    for line in script.replace("\\\n", " ").splitlines():
        pending += f"{line}\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation goes on in the next line
            continue
        pending = ""
        yield words


def check_command(words: list[str]) -> None:
    """A command that this package or Airflow has accepts its arguments."""
    match words:
        case ["make", *targets]:
            assert {target for target in targets if "=" not in target} <= MAKE_TARGETS
        case ["airflow", "cortex", *arguments] | [
            "python",
            "-m",
            "airflow_provider_cortex",
            *arguments,
        ]:
            get_parser().parse_args(arguments)
        case ["python", "-m", "airflow_provider_cortex.emulator", *arguments]:
            emulator.get_parser().parse_args(arguments)
        case ["airflow", *arguments]:
            from airflow.cli.cli_parser import get_parser as airflow_parser

            airflow_parser().parse_args(arguments)


BLOCKS = Sybil(parsers=[PythonCodeBlockParser(), CodeBlockParser("shell", check_shell)])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_blocks_of_a_page_work(page: Path) -> None:
    """Each Python block is executed by itself, as it is pasted; shell blocks are checked."""
    for example in BLOCKS.parse(page).examples():
        example.document.namespace.clear()
        try:
            with patch.dict(os.environ):  # a block may change it
                example.evaluate()
        except SystemExit as error:
            pytest.fail(f"{name(page)}:{example.line}: a command rejects its arguments ({error})")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_block_escapes_its_test(page: Path) -> None:
    """A block names its language, by the names that the tests know."""
    known = {"python", "shell", "sql", "text", "json", "yaml", "ini", "dockerfile"}
    text = page.read_text(encoding="utf-8")
    opened = re.findall(r"^ *```(\S*)", text, re.MULTILINE)[::2]
    assert {language for language in opened if not language.startswith("{")} <= known
