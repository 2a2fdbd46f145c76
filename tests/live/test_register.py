"""The register: each guess is defined once, named by its id, and shown in the documentation."""

import re

import pytest

from live.register import CHECKOUT, PACKAGE, REFERENCE, RegisterError, names, one_line, read_guesses
from live.table import guess_table

DEFINITION = "# Guess {}: it is so. If wrong:\n# it is not.\n"


@pytest.fixture
def checkout(tmp_path):
    """Return a function that writes the sources of a package, and reads their guesses."""

    def read(**sources):
        for name, text in sources.items():
            file = tmp_path / PACKAGE / f"{name}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return read_guesses(tmp_path)

    return read


def test_the_guesses_of_this_package_are_in_order():
    """Each guess that the package or a page names is defined exactly once, and completely."""
    assert len(read_guesses()) > 30


def test_each_comment_about_a_guess_names_it():
    """Where the code speaks of a guess, it says which: the register must have all of them."""
    nameless = []
    for source in (CHECKOUT / PACKAGE).rglob("*.py"):
        text = one_line(source.read_text(encoding="utf-8"))
        named = {found.start() for found in REFERENCE.finditer(text)}
        spoken = {found.start() for found in re.finditer(r"\bguess", text, re.IGNORECASE)}
        nameless += [f"{source.name}: {text[at - 50 : at + 50]}" for at in spoken - named]
    assert nameless == []


def test_the_tables_show_each_guess_once():
    """The page of the package and that of the emulator have all guesses, and share none."""
    tables = guess_table(of_emulator=False) + "\n" + guess_table(of_emulator=True)
    shown = re.findall(r"^\| \*\*([a-z0-9-]+)\*\*, in ", tables, re.MULTILINE)
    assert sorted(shown) == sorted(read_guesses())


def test_a_definition_has_parts(checkout):
    """A definition says what is assumed, what happens if it is wrong, and why it has no check."""
    text = DEFINITION.format("one-thing") + "# No live check: it is dear.\nx = 1  # other\n"
    guess = checkout(a=text, b='"""It is used here (guess\none-thing)."""')["one-thing"]
    assert (guess.assumed, guess.if_wrong, guess.no_check) == (
        "it is so.",
        "it is not.",
        "it is dear.",
    )
    assert [file.name for file in guess.files] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ({"a": DEFINITION.format("a-b"), "b": DEFINITION.format("a-b")}, "is defined in"),
        ({"a": "# It is so (guess a-b).\n"}, "names a guess that no comment defines: a-b"),
        ({"a": "# Guess a-b: it is so.\n"}, "must say what is assumed, and then 'If wrong"),
    ],
)
def test_a_wrong_register_is_an_error(checkout, sources, problem):
    """A guess that is defined twice, never, or in part must not get into the documentation."""
    with pytest.raises(RegisterError, match=problem):
        checkout(**sources)


def test_a_guess_may_be_named_across_lines():
    """Comments and docstrings are wrapped wherever a line ends."""
    assert names("# It is so (guess\n    # a-b).") == {"a-b"}
