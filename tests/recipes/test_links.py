"""Every link of these pages, and of the README to them, leads to a page and a heading that are there."""

import re

import pytest

from tests.recipes.pages import ROOT, headings


@pytest.mark.parametrize("name", ["docs/recipes.md", "docs/migrating.md", "docs/when-to-balance.md", "README.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^):#]*)(?:#([^)]*))?\)", page.read_text())
    assert links
    for target, anchor in links:
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in headings(path.read_text()), f"{target}#{anchor}"
