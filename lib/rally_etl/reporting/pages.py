"""Pages that open with no network: one style, one script, figures as data, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from rally_etl.reporting.files import write_bytes

PLOTLY_FILE = "plotly.min.js"
MARKUP = re.compile(r"[&<>]")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def render(template: str, **context: Any) -> str:
    """Fill a template of this package; text is escaped unless the template says otherwise."""
    return _templates().get_template(template).render(**_frame(), **context)


def figure_html(figure: dict | Any, anchor: str, height: int | None = None) -> str:
    """A figure as a place to draw and its data; the page's script draws it.

    Args:
        figure: a Plotly figure or its JSON as a dictionary. The title moves out of the figure into the page, so that it
            wraps on a telephone and can be read without JavaScript.
    """
    spec = figure if isinstance(figure, dict) else figure.to_plotly_json()
    layout = dict(spec.get("layout", {}))
    title = layout.pop("title", None) or {}
    layout.pop("template", None)
    text = title.get("text", "") if isinstance(title, dict) else str(title)
    height = height or layout.get("height") or 340
    # `<` is written as an escape so that no text of a scrape can close the script element that carries the data
    data = json.dumps({"data": spec["data"], "layout": layout}, ensure_ascii=True, default=_plain).replace(
        "<", "\\u003c"
    )
    caption = f"<figcaption>{html.escape(html.unescape(text))}</figcaption>" if text else ""
    return (
        f'<figure id="{anchor}" class="chart">{caption}<div class="plot" style="height:{int(height)}px"></div>'
        f'<script type="application/json">{data}</script></figure>'
    )


def label(text: object) -> str:
    """Text for a figure's title, axis, hover or legend, where Plotly reads HTML; people see it as it was written."""
    return MARKUP.sub(lambda found: ENTITIES[found[0]], str(text))


def write_plotly(folder: Path) -> Path:
    """Put the one script library beside the pages of a folder, unless it is there."""
    target = folder / PLOTLY_FILE
    if not target.exists():
        write_bytes(target, (files("plotly") / "package_data" / PLOTLY_FILE).read_bytes())
    return target


def _plain(value: Any) -> Any:
    """Numpy arrays and scalars, dates and Decimals as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else float(value)


@cache
def _frame() -> dict[str, str]:
    """Style, script and policy that all pages share; the policy names the script by its hash."""
    style, script = _asset("report.css"), _asset("draw.js")
    code = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src 'self' file: 'sha256-{code}'"
    )
    return {"style": style, "script": script, "policy": policy, "plotly_file": PLOTLY_FILE}


def _asset(name: str) -> str:
    return (files("rally_etl.reporting") / "templates" / name).read_text(encoding="utf-8")


@cache
def _templates():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rally_etl.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "seconds": seconds, "size": size}
    return environment


def number(value: Any) -> str:
    """A number with separators, at most four digits after the point; nothing for None; other values as text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    return f"{int(value):,}" if value == int(value) else f"{float(value):,.4f}".rstrip("0")


def seconds(value: float | None) -> str:
    """A duration in seconds, as people read it."""
    return "" if value is None else f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def size(value: int | None) -> str:
    """A file size in kB or MB."""
    return "" if value is None else f"{value / 1000:,.0f} kB" if value < 1_000_000 else f"{value / 1_000_000:,.1f} MB"
