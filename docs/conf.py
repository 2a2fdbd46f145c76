"""How Sphinx builds the documentation: ``make docs``."""

from __future__ import annotations

from importlib.metadata import version as installed_version

from airflow_provider_cortex.emulator import not_emulated
from airflow_provider_cortex.provider_info import OPTIONS, PACKAGE
from live.table import guess_table

project = PACKAGE
author = "airflow-provider-cortex contributors"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = installed_version(PACKAGE)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinxarg.ext",
]
suppress_warnings = ["myst.domains"]  # the command line's own domain resolves no MyST links

html_theme = "furo"
html_title = PACKAGE
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
smartquotes = False  # they would change messages and options

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"

copybutton_exclude = ".linenos, .gp, .go"


def _settings() -> str:
    """Return the settings of the section [cortex], as Airflow itself gets them."""
    return "\n\n".join(
        f"`{name}`, by default {_code(option['default'])}\n"
        f": {option['description']} Example: `{option['example']}`"
        for name, option in OPTIONS.items()
    )


def _code(value: str) -> str:
    return f"`{value}`" if value else "empty"


myst_substitutions = {
    "settings": _settings(),
    "not_emulated": not_emulated.as_list(),
    "guesses": guess_table(of_emulator=False),
    "guesses_of_the_emulator": guess_table(of_emulator=True),
}
