"""Snapshots altered as somebody might who knows how they are made."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rally_etl.protection.stored import manifest


def forge(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Edit the manifest of a snapshot, with a digest that fits."""
    file = path / manifest.MANIFEST
    document = json.loads(file.read_text(encoding="utf-8"))
    del document["digest"]
    edit(document)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    file.write_text(json.dumps(document | {"digest": digest}), encoding="utf-8")


def table_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One table of a manifest."""
    return next(each for each in document["tables"] if each["name"] == name)


def forge_rows(path: Path, table: str, edit: Callable[[bytes], bytes]) -> None:
    """Edit what the file of a table holds, and everything in the manifest that can be worked out from the file."""
    document = json.loads((path / manifest.MANIFEST).read_text(encoding="utf-8"))
    file = path / table_of(document, table)["file"]
    raw = edit(gzip.decompress(file.read_bytes()))
    data = gzip.compress(raw)
    file.write_bytes(data)
    facts = {"bytes": len(data), "raw_bytes": len(raw), "sha256": hashlib.sha256(data).hexdigest()}
    forge(path, lambda document: table_of(document, table).update(facts))
