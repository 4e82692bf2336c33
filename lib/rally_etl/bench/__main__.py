"""``python -m rally_etl.bench``: how long an import takes."""

from __future__ import annotations

from rally_etl.bench.imports import main

main()
