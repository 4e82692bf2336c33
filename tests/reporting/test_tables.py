"""Tables of the notebooks: headings in words, everything escaped."""

from __future__ import annotations

import re

from rally_etl.reporting.tables import Table


def headings(html: str) -> list[str]:
    """Texts of the column headings."""
    return re.findall(r"<th[^>]*col_heading[^>]*>(.*?)</th>", html)


def test_headings_are_words():
    """A column's heading says in words what it holds; the key of a league and a scraped name stay what they are."""
    row = {"check_name": "a", "failing_rows": 1, "row_count": 2, "votes_home": 3, "APTA_CHICAGO": 4, "<b>": 5}

    found = headings(Table([row], title="Anything")._repr_html_())

    assert ["check", "failing rows", "rows", "votes home first", "APTA_CHICAGO", "&lt;b&gt;"] == found
