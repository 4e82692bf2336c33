"""Every page that is asked, in the order in which people meet them."""

from __future__ import annotations

from rally_etl.features import (
    my_series,
)
from rally_etl.features.feature import Feature

FEATURES: tuple[Feature, ...] = (my_series.FEATURE,)
