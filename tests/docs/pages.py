"""The pages that readers see: the README and everything in docs/."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"
PAGES = [README, CHECKOUT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def name(page: Path) -> str:
    """Return a page's name for a test's id."""
    return str(page.relative_to(CHECKOUT))


def read(page: str) -> str:
    """Return the text of a page in docs/, such as ``reference/metrics``."""
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")
