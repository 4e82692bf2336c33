"""Evidence: what is glued, what is refused, and when reading it fails."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path

import numpy
import pytest

from rally_etl import scraps
from rally_etl.errors import EvidenceMissing

DOCUMENT = {"stage": "import", "run_id": "r1", "leagues": {"NSTF": {"fault_share": {"value": 0.01, "detail": ["a"]}}}}


@pytest.fixture
def glued(monkeypatch):
    """Collect what would be glued instead of displaying it in a kernel."""
    found = []

    class Scrapbook:
        glue = staticmethod(lambda name, data, encoder: found.append((name, data)))

    monkeypatch.setattr(scraps, "load", lambda: Scrapbook)
    return found


def evidence(value: object, detail: object = None) -> dict:
    """A document with one measure."""
    measure = {"value": value} if detail is None else {"value": value, "detail": detail}
    return {"stage": "import", "run_id": "r1", "leagues": {"NSTF": {"fault_share": measure}}}


def notebook(folder: Path, *glued: tuple[str, object]) -> Path:
    """A notebook file with these scraps, one per cell, as scrapbook stores them."""
    cells = [
        {
            "cell_type": "code",
            "outputs": [{"data": {scraps.DATA_MIME: {"name": name, "data": data, "encoder": "json", "version": 1}}}],
        }
        for name, data in glued
    ]
    path = folder / "02_import.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def seal_of(document: dict) -> dict:
    """The seal that belongs to a document."""
    return {
        "stage": document["stage"],
        "run_id": document["run_id"],
        "measures": scraps.count_measures(document),
        "sha256": scraps.digest(document),
    }


@pytest.mark.parametrize(
    ("given", "stored"), [(numpy.int64(3), 3), (numpy.float32(0.5), 0.5), (Decimal("0.25"), 0.25), (0, 0)]
)
def test_numbers_of_numpy_and_decimal_become_plain(glued, given, stored):
    """A count from numpy or a numeric from the database is stored as Python's own number."""
    scraps.glue(evidence(given))

    value = glued[0][1]["leagues"]["NSTF"]["fault_share"]["value"]
    assert (stored, type(stored)) == (value, type(value))


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), numpy.float64("nan"), Decimal("NaN"), None, "0.1", True, numpy.bool_(True), [1], {}],
)
def test_what_cannot_be_compared_is_refused_by_name(glued, value):
    """NaN, infinity, None and everything that is no number is refused, and nothing is glued."""
    with pytest.raises(EvidenceMissing, match=r"import\.fault_share of NSTF"):
        scraps.glue(evidence(value))

    assert [] == glued


@pytest.mark.parametrize("detail", ["text", [1], [None]])
def test_detail_is_a_list_of_texts(glued, detail):
    """A detail that is not a list of texts is refused."""
    with pytest.raises(EvidenceMissing, match="detail"):
        scraps.glue(evidence(1, detail))

    assert [] == glued


@pytest.mark.parametrize("key", ["stage", "run_id", "leagues"])
def test_document_without_its_parts_is_refused(glued, key):
    """A document says its stage, its run and its leagues."""
    document = {name: value for name, value in DOCUMENT.items() if name != key}

    with pytest.raises(EvidenceMissing, match=key):
        scraps.glue(document)


def test_sealed_evidence_is_read_back(tmp_path):
    """What was glued and sealed is what the gate reads."""
    path = notebook(tmp_path, ("evidence", DOCUMENT), ("seal", seal_of(DOCUMENT)))

    assert DOCUMENT == scraps.read(path, stage="import", run_id="r1")


def test_seal_of_another_run_is_not_glued(glued):
    """The last cell cannot seal a document of another run."""
    with pytest.raises(EvidenceMissing, match="not of stage import, run r2"):
        scraps.seal("import", "r2", DOCUMENT)

    assert [] == glued


def changed() -> dict:
    """The document with one number changed after it was sealed."""
    document = copy.deepcopy(DOCUMENT)
    document["leagues"]["NSTF"]["fault_share"]["value"] = 0.0
    return document


@pytest.mark.parametrize(
    ("glued_in_file", "stage", "run_id", "says"),
    [
        ([], "import", "r1", "is not in"),
        ([("evidence", DOCUMENT)], "import", "r1", "is not sealed"),
        ([("seal", seal_of(DOCUMENT))], "import", "r1", "is not in"),
        ([("evidence", DOCUMENT), ("evidence", DOCUMENT), ("seal", seal_of(DOCUMENT))], "import", "r1", "ambiguous"),
        (
            [("evidence", DOCUMENT), ("seal", seal_of(DOCUMENT)), ("seal", seal_of(DOCUMENT))],
            "import",
            "r1",
            "ambiguous",
        ),
        ([("evidence", changed()), ("seal", seal_of(DOCUMENT))], "import", "r1", "does not match its seal"),
        ([("evidence", DOCUMENT), ("seal", seal_of(DOCUMENT))], "import", "r2", "foreign"),
        ([("evidence", DOCUMENT), ("seal", seal_of(DOCUMENT))], "validation", "r1", "foreign"),
        ([("evidence", "nan"), ("seal", seal_of(DOCUMENT))], "import", "r1", "unreadable"),
        ([("evidence", evidence("nan")), ("seal", seal_of(DOCUMENT))], "import", "r1", "no number"),
    ],
)
def test_reading_fails_closed(tmp_path, glued_in_file, stage, run_id, says):
    """Missing, unsealed, doubled, changed or foreign evidence is never read."""
    path = notebook(tmp_path, *glued_in_file)

    with pytest.raises(EvidenceMissing, match=says):
        scraps.read(path, stage=stage, run_id=run_id)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cells": 3}', '{"cells": [3]}', "\x00\xff"])
def test_files_that_are_no_notebook_fail_closed(tmp_path, text):
    """A file that is no notebook is missing evidence, not a stack."""
    path = tmp_path / "02_import.ipynb"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(EvidenceMissing, match=r"unreadable|is not in"):
        scraps.read(path, stage="import", run_id="r1")


def test_missing_file_fails_closed(tmp_path):
    """No notebook is missing evidence."""
    with pytest.raises(EvidenceMissing, match=r"no 02_import\.ipynb"):
        scraps.read(tmp_path / "02_import.ipynb", stage="import", run_id="r1")
