"""``python -m rally_etl.bench.mutations``: try every damage and print the table."""

from __future__ import annotations

from rally_etl.bench.mutations.trying import main

main()
