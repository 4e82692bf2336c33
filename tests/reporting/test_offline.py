"""Reports in a browser without network."""

from __future__ import annotations

import html
import json
from pathlib import Path

import nbformat
import pytest

from histories import write_history
from rally_etl import workbook
from rally_etl.reporting import charts, drill, executed, tables, write_list, write_report

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<script>alert(1)</script>"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium at /usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    """A headless browser that may do nothing but open files."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a file; answer the page, the requests it made beyond files, and what its console complained of."""
    contexts = []

    def open_file(path: Path, **options):
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        requests, complaints = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        page.wait_for_function(
            "[...document.querySelectorAll('figure.chart')].every(f => f.querySelector('svg.main-svg'))"
        )
        return page, [url for url in requests if not url.startswith(("file:", "data:"))], complaints

    yield open_file
    for context in contexts:
        context.close()


def test_index_page_draws_offline(engine, settings, finished_run, document, visit):
    """The front page draws every chart, asks the network for nothing, complains of nothing."""
    path = write_report(engine, settings, finished_run, document)

    page, requests, complaints = visit(path)

    assert [] == requests
    assert [] == complaints
    assert 6 == page.locator("figure.chart:has(svg.main-svg)").count()
    assert "APTA_CHICAGO was published; NSTF waits for approval; CITA was refused and is as before." == page.inner_text(
        "h1"
    )


def test_list_of_runs_draws_offline_on_a_telephone(engine, settings, visit):
    """The list draws its charts from the file beside it, and nothing of it is wider than a telephone."""
    with engine.begin() as connection:
        write_history(connection, 20, refused={12: "CNSWPL", 19: "NSTF"})
    settings.reports_dir.mkdir()

    page, requests, complaints = visit(write_list(engine, settings), viewport={"width": 390, "height": 844})

    assert [] == requests
    assert [] == complaints
    assert 2 == page.locator("figure.chart:has(svg.main-svg)").count()
    assert 390 == page.evaluate("document.documentElement.scrollWidth")
    assert "all leagues" in page.locator("#trends").text_content()


def test_text_from_a_scrape_stays_text(engine, settings, finished_run, document, visit):
    """A team named as a script is shown as it was written and never runs."""
    path = write_report(engine, settings, finished_run, document)

    page, _, complaints = visit(path)

    assert [] == complaints
    assert HOSTILE in page.inner_text("#reasons")
    assert HOSTILE in page.inner_text("#plan")
    assert html.escape(HOSTILE) in path.read_text(encoding="utf-8")
    assert HOSTILE not in path.read_text(encoding="utf-8")


def test_notebook_page_draws_offline(settings, tmp_path, visit):
    """A notebook's page draws its figures; hostile text in titles, bars, hover and tables is inert."""
    figure = charts.bars([{"name": HOSTILE, "rows": 3}], "name", "rows", title=f"Team {HOSTILE} & co", axis="Rows")
    table = tables.Table([{"team": HOSTILE, HOSTILE: 1}], title=HOSTILE)
    note = tables.Note(HOSTILE)
    path = _executed(tmp_path, [_bundle(figure), {"text/html": table._repr_html_()}, {"text/html": note._repr_html_()}])

    page, requests, complaints = visit(executed.write_html(path, run_id="r1"))

    assert [] == requests
    assert [] == complaints
    assert f"Team {HOSTILE} & co" == page.inner_text("figcaption")
    assert HOSTILE == page.locator("svg .ytick text").text_content()
    assert HOSTILE == page.locator("td").first.inner_text()


def test_no_share_button(tmp_path, visit):
    """Nothing on a page sends the data of a chart to a third party."""
    figure = charts.bars([{"name": "a", "rows": 3}], "name", "rows", title="t", axis="Rows")
    page, _, _ = visit(executed.write_html(_executed(tmp_path, [_bundle(figure)]), run_id="r1"))

    assert 0 == page.locator(".modebar-btn").count()
    assert 0 == page.get_by_text("Share").count()


def test_scripts_beside_ours_do_not_run(tmp_path, visit):
    """Markup that slips through (an output that is not ours) still cannot run: the page's policy forbids it."""
    path = _executed(
        tmp_path, [{"text/html": '<img src=x onerror="document.title=\'run\'"><script>document.title="run"</script>'}]
    )

    page, _, _ = visit(executed.write_html(path, run_id="r1"))

    assert "run" != page.title()


def test_missing_library_is_said(tmp_path, browser):
    """A page without plotly.min.js beside it says so in words."""
    figure = charts.bars([{"name": "a", "rows": 3}], "name", "rows", title="t", axis="Rows")
    page_path = executed.write_html(_executed(tmp_path, [_bundle(figure)]), run_id="r1")
    (tmp_path / "plotly.min.js").unlink()
    page = browser.new_page()
    page.goto(page_path.as_uri())

    assert "plotly.min.js is missing" in page.inner_text("figure.chart")
    page.close()


def test_workbook_tables_are_escaped(settings, engine, finished_run, monkeypatch):
    """Every table of the workbook escapes what the scrape said."""
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("RALLY_HOME", str(settings.root))
    book = workbook.open("explore")

    shown = "".join(
        answer._repr_html_() for answer in (book.held(), book.failing_rows(), book.reasons(), drill.teams(book, ""))
    )

    assert HOSTILE not in shown
    assert html.escape(HOSTILE) in shown


def _bundle(figure) -> dict:
    return {"application/vnd.plotly.v1+json": json.loads(figure.to_json())}


def _executed(folder: Path, bundles: list[dict]) -> Path:
    """A notebook as papermill leaves it, with these outputs."""
    outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in bundles]
    cell = nbformat.v4.new_code_cell("show()", outputs=outputs, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Baseline"), cell])
    path = folder / "01_baseline.ipynb"
    nbformat.write(notebook, path)
    return path
