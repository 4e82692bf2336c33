"""House rules of the notebooks, and that each can be opened by hand."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from rally_etl import pipeline
from rally_etl.reporting import executed

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
STAGES = [FOLDER / f"{pipeline.notebook_name(stage)}.ipynb" for stage in pipeline.STAGES]
LOGIC = (
    ast.FunctionDef,
    ast.ClassDef,
    ast.For,
    ast.While,
    ast.If,
    ast.Try,
    ast.With,
    ast.IfExp,
    ast.comprehension,
    ast.Lambda,
)


def cells_of(path: Path) -> list[dict]:
    """Cells of a notebook, their source as one text."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def code_of(path: Path) -> list[dict]:
    """Code cells of a notebook."""
    return [cell for cell in cells_of(path) if cell["cell_type"] == "code"]


def test_there_is_a_notebook_per_stage_and_one_to_explore():
    """Six stages in order, and explore."""
    assert [*STAGES, FOLDER / "explore.ipynb"] == NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_thin(path):
    """No logic, no outputs but those that nbval compares, one parameters cell; each cell ends with something to see."""
    cells, code = cells_of(path), code_of(path)
    assert cells[0]["source"].startswith("# ")
    assert 1 == sum("parameters" in cell["metadata"].get("tags", []) for cell in code)
    for cell in code:
        assert bool(cell["outputs"]) == cell["source"].startswith("# NBVAL_CHECK_OUTPUT")
        assert bool(cell["outputs"]) == (cell["execution_count"] is not None)
        assert len(cell["source"].splitlines()) <= 4
        tree = ast.parse(cell["source"])
        assert not any(isinstance(node, LOGIC) for node in ast.walk(tree))
        assert "parameters" in cell["metadata"].get("tags", []) or isinstance(tree.body[-1], ast.Expr)


def test_what_does_not_depend_on_a_run_is_compared():
    """At least one cell says the same in every run, and nbval compares what it says."""
    assert any(cell["outputs"] for path in NOTEBOOKS for cell in code_of(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_headings_are_numbered_in_order(path):
    """One `#`, then `##` numbered from 1, each with a sentence that says why."""
    texts = [cell["source"] for cell in cells_of(path) if cell["cell_type"] == "markdown"]
    assert list(range(1, len(texts))) == [int(text.split()[1]) for text in texts[1:] if text.startswith("## ")]
    assert all(len(text.splitlines()) > 1 for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_what_a_run_passes(path):
    """The parameters cell declares exactly what the pipeline passes, and papermill sees the same."""
    papermill = pytest.importorskip("papermill")
    assert list(pipeline.PARAMETERS) == executed.declared_parameters(path)
    assert list(pipeline.PARAMETERS) == list(papermill.inspect_notebook(str(path)))


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_last_cell_seals(path):
    """Only the last cell seals, so that a seal proves that every cell ran."""
    sources = [cell["source"] for cell in code_of(path)]
    assert "book.seal()" == sources[-1]
    assert 1 == sum("seal" in source for source in sources)


def run_by_hand(path: Path) -> list[str]:
    """Run a notebook's cells in order as JupyterLab would; answer what each shows, as HTML or text."""
    names: dict = {}
    shown = []
    for cell in code_of(path):
        tree = ast.parse(cell["source"])
        last = tree.body[-1]
        if not isinstance(last, ast.Expr):
            exec(compile(tree, path.name, "exec"), names)
            continue
        exec(compile(ast.Module(tree.body[:-1], []), path.name, "exec"), names)
        answer = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
        shown.append(answer._repr_html_() if hasattr(answer, "_repr_html_") else repr(answer))
    return shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_without_any_run_each_notebook_says_so(path, engine, settings, monkeypatch):
    """Opened by hand before the first run, a notebook says what to do and fails nowhere."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("RALLY_HOME", str(settings.root))

    shown = run_by_hand(path)

    assert "There is no run yet" in shown[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_without_any_table_each_notebook_says_so(path, empty_engine, tmp_path, monkeypatch):
    """Opened by hand on a database that holds nothing at all, a notebook fails nowhere either."""
    monkeypatch.setenv("DATABASE_URL", empty_engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("RALLY_HOME", str(tmp_path))

    shown = run_by_hand(path)

    assert "There is no run yet" in shown[0]
