"""`python -m rally_etl` is `rally-etl`."""

from __future__ import annotations

from rally_etl.cli import main

main()
