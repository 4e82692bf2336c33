"""What users see: one module per page of the application, with its query and what a right answer is."""

from rally_etl.features.evidence import feature_measures

__all__ = ["feature_measures"]
