"""Rally ETL workbook: imports league scrapes as audited plans."""

from __future__ import annotations

__version__ = "0.1.0"
