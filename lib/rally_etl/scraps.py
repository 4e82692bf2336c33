"""Evidence that notebooks leave for the gate: one strict document per stage, glued with scrapbook and sealed."""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from rally_etl.errors import EvidenceMissing

EVIDENCE = "evidence"
SEAL = "seal"
DATA_MIME = "application/scrapbook.scrap.json+json"
MIME_PREFIX = "application/scrapbook."


def glue(evidence: dict) -> dict:
    """Leave the evidence document of a stage in the running notebook.

    Args:
        evidence: ``{"stage", "run_id", "leagues": {league: {measure: {"value": number, "detail": [text]}}}}``.

    Returns:
        The document as stored: plain Python numbers and texts only.

    Raises:
        EvidenceMissing: a measure is no finite number; the text names it. Nothing is glued then.
    """
    document = checked(evidence)
    load().glue(EVIDENCE, document, "json")
    return document


def seal(stage: str, run_id: str, document: dict) -> dict:
    """Glue the seal; only the last cell of a notebook does this, so a seal proves that every cell before it ran.

    Args:
        document: what :func:`glue` returned.

    Raises:
        EvidenceMissing: the document is of another stage or run.
    """
    if (document.get("stage"), document.get("run_id")) != (stage, run_id):
        raise EvidenceMissing(
            f"the evidence glued here is not of stage {stage}, run {run_id}; the stage stays unsealed"
        )
    mark = {"stage": stage, "run_id": run_id, "measures": count_measures(document), "sha256": digest(document)}
    load().glue(SEAL, mark, "json")
    return mark


def read(notebook_path: str | Path, *, stage: str, run_id: str) -> dict:
    """Return the sealed evidence document of an executed notebook.

    The file is read as plain JSON and not through ``scrapbook.read_notebook``, which lets the last of two scraps of one
    name win and so cannot see a second document.

    Raises:
        EvidenceMissing: no file, no notebook, no document, two documents, no seal, or a seal of another document,
            stage or run.
    """
    path = Path(notebook_path)
    where = f"evidence of stage {stage}"
    scraps = _scraps_of(path, where)
    for name in (EVIDENCE, SEAL):
        if not scraps.get(name):
            what = "is not in" if name == EVIDENCE else "is not sealed in"
            raise EvidenceMissing(f"{where} {what} {path.name}: the notebook did not run to its end")
        if len(scraps[name]) > 1:
            raise EvidenceMissing(f"{where} is ambiguous: {path.name} holds {len(scraps[name])} scraps named {name}")
    document, mark = scraps[EVIDENCE][0], scraps[SEAL][0]
    for name, scrap in ((EVIDENCE, document), (SEAL, mark)):
        if not isinstance(scrap, dict):
            raise EvidenceMissing(f"{where} is unreadable: the scrap {name} in {path.name} is no document")
        for key, expected in (("stage", stage), ("run_id", run_id)):
            if scrap.get(key) != expected:
                raise EvidenceMissing(
                    f"{where} is foreign: {name} in {path.name} is of {key} {scrap.get(key)!r}, not {expected!r}"
                )
    document = checked(document)
    if mark.get("sha256") != digest(document) or mark.get("measures") != count_measures(document):
        raise EvidenceMissing(f"{where} does not match its seal in {path.name}: it was changed after it was sealed")
    return document


def checked(evidence: dict) -> dict:
    """Return the document with plain numbers; refuse what a gate cannot compare.

    Raises:
        EvidenceMissing: a wrong shape, or a value that is None, NaN, infinite or no number; the text names the measure.
    """
    stage, leagues = evidence.get("stage"), evidence.get("leagues")
    for key in ("stage", "run_id"):
        if not isinstance(evidence.get(key), str) or not evidence[key]:
            raise EvidenceMissing(f"evidence has no {key}; nothing was glued")
    if not isinstance(leagues, dict):
        raise EvidenceMissing(f"evidence of stage {stage} has no leagues; nothing was glued")
    return {
        "stage": stage,
        "run_id": evidence["run_id"],
        "leagues": {
            _text(league, stage): {
                _text(name, stage): _measure(measure, f"{stage}.{name} of {league}")
                for name, measure in measures.items()
            }
            for league, measures in leagues.items()
        },
    }


def count_measures(document: dict) -> int:
    """Number of measures in a document, over all leagues."""
    return sum(len(measures) for measures in document["leagues"].values())


def digest(document: dict) -> str:
    """SHA-256 of a document, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any, stage: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise EvidenceMissing(f"evidence of stage {stage} has the name {value!r}, which is no text; nothing was glued")


def _measure(measure: Any, name: str) -> dict:
    if not isinstance(measure, dict) or "value" not in measure or measure.keys() - {"value", "detail"}:
        raise EvidenceMissing(f"measure {name} is not {{value, detail}} but {measure!r}; nothing was glued")
    detail = measure.get("detail", [])
    if not isinstance(detail, list) or not all(isinstance(text, str) for text in detail):
        raise EvidenceMissing(f"the detail of measure {name} is not a list of texts; nothing was glued")
    return {"value": _number(measure["value"], name), "detail": detail}


def _number(value: Any, name: str) -> int | float:
    """Numpy and Decimal numbers become Python's; everything a rule cannot compare is refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        raise EvidenceMissing(f"measure {name} is {value!r}, which is no number; nothing was glued")
    number = int(value) if isinstance(value, numbers.Integral) else float(value)
    if not math.isfinite(number):
        raise EvidenceMissing(f"measure {name} is {number}, which nothing can be compared with; nothing was glued")
    return number


def _scraps_of(path: Path, where: str) -> dict[str, list]:
    """All scraps of a notebook by name, in order; a name may occur more than once."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, list] = {}
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                payload = output.get("data", {}).get(DATA_MIME)
                if payload is not None:
                    found.setdefault(payload["name"], []).append(payload["data"])
        return found
    except FileNotFoundError:
        raise EvidenceMissing(f"{where} is missing: there is no {path.name} in the run's folder") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvidenceMissing(f"{where} is unreadable: {path.name} is no notebook ({type(error).__name__})") from None


def load():
    """Import scrapbook without the 1 s of grammars that jsonschema builds for a format check nobody uses here."""
    sys.modules.setdefault("rfc3987_syntax", None)
    import scrapbook

    return scrapbook
