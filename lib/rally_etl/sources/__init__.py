"""Where records come from: scrape folders, the raw archive, staged rows."""

from rally_etl.sources.load import ruleset, stage_scrape
from rally_etl.sources.scrape import Scrape, SourceFile, read_scrape

__all__ = ["Scrape", "SourceFile", "read_scrape", "ruleset", "stage_scrape"]
