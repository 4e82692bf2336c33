"""An executed notebook: its parameters, its clean copy without secrets and local paths, its HTML page."""

from __future__ import annotations

import ast
import html
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.reporting.files import write_text
from rally_etl.reporting.persons import Persons, Replace
from rally_etl.scrubbing import BLANK, secrets_of
from rally_etl.settings import Settings

PLOTLY_MIME = "application/vnd.plotly.v1+json"
SCRAP_PREFIX = "application/scrapbook."
SHORTEST_SECRET = 6  # a shorter password is only blanked where it stands as one: `:password@`, `password=`
BLOCK_CHARS = 1 << 20
FAILING_ROW = re.compile(r"(Failing row contains )\(.*\)")  # of a database: every value, a password's hash too
STATEMENT_LINE = re.compile(r"^LINE \d+: .*", re.MULTILINE)  # of a statement that it did not take
CELL_FILE = re.compile(r"(?:/[\w.+-]+)*/ipykernel_\d+/\d+\.py")


@dataclass(frozen=True, slots=True)
class Scrub:
    """Texts that must not leave the machine with a report, each with what stands in its place."""

    replacements: tuple[tuple[str, str], ...]
    persons: Persons | None = None

    @classmethod
    def of(cls, settings: Settings, url: sa.URL, persons: Persons | None = None) -> Scrub:
        """Blank secrets, the database's address and password; make paths of the project relative.

        Args:
            persons: whose names become ids; None leaves names.
        """
        found: dict[str, str] = {}
        texts = (
            settings.database_url,
            url.render_as_string(hide_password=False),
            str(url.set(drivername="postgresql")),
        )
        for text in texts:
            if text and ("@" in text or "host" in text):
                found[text] = BLANK
        password = str(url.password or "")
        names = {url.username, url.database, url.host, "postgres", "postgresql"}
        if password:
            found |= {f":{password}@": f":{BLANK}@", f"password={password}": f"password={BLANK}"}
        if len(password) >= SHORTEST_SECRET and password not in names:
            found[password] = BLANK
        found |= dict.fromkeys(secrets_of(settings), BLANK)
        for host in _folders(url):
            found[host] = "<socket>"
        found |= {
            f"{settings.root}/": "",
            str(settings.root): ".",
            f"{sys.prefix}/": "<python>/",
            sys.prefix: "<python>",
        }
        found |= {f"{sys.base_prefix}/": "<python>/", f"{Path.home()}/": "~/"}
        usable = {text: instead for text, instead in found.items() if len(text) > 2}
        return cls(tuple(sorted(usable.items(), key=lambda pair: -len(pair[0]))), persons)

    def text(self, text: str) -> str:
        """The text without secrets, local paths and names of persons."""
        return self._replacing([text])(self._without_secrets(text))

    def values(self, document: Any) -> Any:
        """The same of every text of a JSON document, whose persons are looked up at once."""
        document = _walk(document, self._without_secrets)
        return _walk(document, self._replacing(_texts(document)))

    def file(self, path: Path) -> None:
        """Do the same to a text file in its place, a block of lines at a time."""
        clean = path.with_name(f".{path.name}.clean")
        with path.open(encoding="utf-8", errors="replace") as source, clean.open("w", encoding="utf-8") as target:
            while lines := source.readlines(BLOCK_CHARS):
                target.write(self.text("".join(lines)))
        clean.replace(path)

    def _replacing(self, texts: Iterable[str]) -> Replace:
        return self.persons.replacing(texts) if self.persons else lambda text: text

    def _without_secrets(self, text: str) -> str:
        for secret, instead in self.replacements:
            text = text.replace(secret, instead)
        text = STATEMENT_LINE.sub(lambda line: re.sub("'[^']*'", "'…'", line[0]), text)
        return FAILING_ROW.sub(r"\1(…)", CELL_FILE.sub("<cell>", text))

    def notebook(self, source: Path, target: Path, outcome: dict) -> None:
        """Write the executed notebook into the run's folder, with the outcome that the runner saw.

        papermill's own marks say "completed" for cells after a dead kernel, so they are set right here.

        Raises:
            ValueError: the file is no notebook, or holds a number (NaN) that JSON does not have.
        """
        notebook = self.values(json.loads(source.read_text(encoding="utf-8"), parse_constant=_refuse))
        papermill = notebook["metadata"].setdefault("papermill", {})
        papermill |= {"input_path": f"notebooks/{target.name}", "output_path": target.name}
        notebook["metadata"]["rally_etl"] = {
            "status": outcome["status"],
            "error": self.text(outcome["error"]) if outcome["error"] else None,
        }
        if outcome["status"] != "completed":
            papermill["exception"] = True
            for cell in notebook["cells"]:
                marks = cell["metadata"].get("papermill")
                if marks and cell["cell_type"] == "code" and cell["execution_count"] is None:
                    marks["status"] = "pending"
        write_text(target, json.dumps(notebook, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def declared_parameters(notebook: Path) -> list[str]:
    """Names that the one cell tagged ``parameters`` assigns, in order.

    Raises:
        UsageError: the file is missing, no notebook, or has not exactly one such cell.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
        if len(tagged) != 1:
            raise UsageError(f"{notebook.name} has {len(tagged)} cells tagged parameters\nhint: tag exactly one")
        statements = ast.parse("".join(tagged[0]["source"])).body
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {notebook.name}\nhint: is this the project folder?") from None
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise UsageError(f"{notebook.name} is no notebook: {error}\nhint: take it back from git") from None
    targets = [
        node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None) for node in statements
    ]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def write_html(notebook: Path, *, run_id: str) -> Path:
    """Write the page of an executed notebook beside it; it draws its charts with the folder's plotly.min.js alone."""
    sys.modules.setdefault("rfc3987_syntax", None)
    import nbformat
    from nbconvert import HTMLExporter

    from rally_etl.reporting import pages

    node = nbformat.read(str(notebook), as_version=4)
    status = node.metadata.get("rally_etl", {})
    pages.write_plotly(notebook.parent)
    _make_drawable(node)
    exporter = HTMLExporter(template_name="basic", require_js_url="", mathjax_url="", mermaid_js_url="")
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    body, _ = exporter.from_notebook_node(node)
    stage = notebook.stem.partition("_")[2]
    page = pages.render("notebook.html.j2", body=body, stage=stage, run_id=run_id, name=notebook.name, status=status)
    target = notebook.with_suffix(".html")
    write_text(target, page)
    return target


def _make_drawable(node) -> None:
    """Turn figures into HTML, drop scraps and what papermill adds for readers of the notebook itself."""
    from rally_etl.reporting import pages

    node.cells = [cell for cell in node.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    number = 0
    for cell in node.cells:
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            data = output.get("data", {})
            if any(mime.startswith(SCRAP_PREFIX) for mime in data):
                continue
            if PLOTLY_MIME in data:
                number += 1
                output.data = {"text/html": pages.figure_html(data[PLOTLY_MIME], f"figure-{number}")}
            elif "text/html" not in data and "text/plain" in data:
                # nbconvert would show it well; HTML of our own keeps one style for all notes
                output.data = {"text/html": f"<pre>{html.escape(data['text/plain'])}</pre>"}
            kept.append(output)
        cell.outputs = kept


def _walk(value, change):
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_walk(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, change) for key, item in value.items()}
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _refuse(constant: str) -> None:
    raise ValueError(f"the notebook holds the number {constant}, which JSON does not have")


def _folders(url: sa.URL) -> list[str]:
    hosts = url.query.get("host", ())
    return [host for host in ([hosts] if isinstance(hosts, str) else hosts) if host.startswith("/")]
