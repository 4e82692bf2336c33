"""Tables and notes for notebooks: escaped text, readable numbers, and a sentence where there is nothing to show."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from typing import Any

from rally_etl.measures import counted
from rally_etl.reporting.pages import number
from rally_etl.reporting.persons import shown_value, withheld

WORDS = {
    "passed": "#2f8f6b", "GO": "#2f8f6b", "published": "#2f8f6b", "completed": "#2f8f6b", "insert": "#2b9a8b",
    "warned": "#b57d12", "HOLD": "#b57d12", "held": "#b57d12", "warn": "#b57d12", "deactivate": "#c26c1c",
    "failed": "#c8453b", "NO-GO": "#c8453b", "refused": "#c8453b", "error": "#c8453b", "errored": "#8250a8",
    "update": "#4472c4",
}  # fmt: skip
"""Colour of a word that says how something ended; the same in tables and charts."""


HEADINGS = {
    "check_name": "check", "row_count": "rows", "run_id": "run", "record_no": "record", "started_at": "started (UTC)",
    "votes_home": "votes home first", "votes_away": "votes away first", "sha256": "SHA-256",
}  # fmt: skip
"""Headings of columns whose names do not say in words what they hold."""


class Note:
    """One sentence in place of a table."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return f'<p class="note">{html.escape(self.text)}</p>'

    def __repr__(self) -> str:
        return self.text


class Table:
    """Rows for people: a pandas Styler in a notebook, plain lines in a terminal.

    Args:
        rows: dictionaries with the same keys; the keys are the headings, in words.
        title: what the rows are.
        empty: the sentence shown when there are no rows.
        note: a sentence below the rows.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], *, title: str, empty: str = "Nothing.", note: str = "") -> None:
        self.rows, self.title, self.empty, self.note = [withheld(row) for row in rows], title, empty, note

    def __len__(self) -> int:
        return len(self.rows)

    def frame(self):
        """The rows as a pandas frame; values stay what they are (no id becomes a float)."""
        import pandas

        return pandas.DataFrame(self.rows, dtype=object)

    def styler(self):
        """The rows as a pandas Styler: text escaped, numbers to the right with separators, outcome words in colour."""
        frame = self.frame().map(number)
        numeric = [name for name in frame.columns if _is_numeric([row.get(name) for row in self.rows])]
        styler = frame.style.hide(axis="index").format(escape="html").format_index(_heading, axis="columns")
        styler = styler.map(lambda text: f"color:{WORDS[text]};font-weight:600" if text in WORDS else "")
        styler = styler.set_properties(**{"text-align": "left"}).set_properties(
            subset=numeric, **{"text-align": "right"}
        )
        right = [{"selector": "th", "props": "text-align:right"}]
        styler = styler.set_table_styles(dict.fromkeys(numeric, right))
        mark = hashlib.sha256(self.title.encode()).hexdigest()[:8]  # a stable id keeps executed notebooks comparable
        return styler.set_uuid(f"{mark}_").set_caption(html.escape(self.title))

    def _repr_html_(self) -> str:
        if not self.rows:
            return Note(self.empty)._repr_html_()
        note = f'<p class="note">{html.escape(self.note)}</p>' if self.note else ""
        return f'<div class="table">{self.styler().to_html()}</div>{note}'

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        return f"{self.title}: {counted(len(self.rows), 'row')}"


def in_words(value: Any) -> str:
    """A list or an object of the ledger as one readable text."""
    if isinstance(value, dict) and value.keys() == {"field", "value", "problem"}:
        return f"{value['field']} {shown_value(value)!r}: {value['problem']}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {in_words(item)}" for key, item in withheld(value).items())
    if isinstance(value, list | tuple):
        return "; ".join(in_words(item) for item in value)
    return "" if value is None else str(value)


def _heading(name: str) -> str:
    """Escaped heading of a column; keys of leagues, in capitals, stay as they are."""
    return html.escape(HEADINGS.get(name) or (name.replace("_", " ") if name.islower() else name))


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(hasattr(value, "__float__") and not isinstance(value, str | bool) for value in known)
