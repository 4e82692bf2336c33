"""What people read after a run: charts, pages that open with no network, the archive of a run and its manifest."""

from __future__ import annotations

from typing import Any

_FROM_ARCHIVE = ("write_report", "write_list", "verify_reports")


def __getattr__(name: str) -> Any:
    """Import on demand: kernels use the charts and tables of this package, never its archive."""
    if name in _FROM_ARCHIVE:
        from rally_etl.reporting import archive

        return getattr(archive, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
