"""`params/identity.yaml`: from where on evidence decides, and from where on it is only worth asking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rally_etl.params import read_model

Share = Annotated[float, Field(ge=0, le=1)]


class Thresholds(BaseModel):
    """Shares between 0 and 1 (what each is for: the comments of the file); ``shared_people`` is a count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roster_taken: Share
    roster_named: Share
    shared_people: Annotated[int, Field(ge=1)]
    roster_proposed: Share
    roster_doubted: Share
    second_best: Share
    name_taken: Share
    name_proposed: Share
    season_goes_on: Share


def load_thresholds(params_dir: Path) -> Thresholds:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    return read_model(params_dir / "identity.yaml", Thresholds)
