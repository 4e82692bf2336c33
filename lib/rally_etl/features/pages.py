"""Every page that is asked, in the order in which people meet them."""

from __future__ import annotations

from rally_etl.features import (
    availability,
    club_standings,
    food_and_beer,
    last_matches,
    my_series,
    my_team,
    notifications,
    practice_times,
    schedule_grid,
    simulator,
    strength_of_schedule,
    teams_and_players,
)
from rally_etl.features.feature import Feature

FEATURES: tuple[Feature, ...] = tuple(
    page.FEATURE
    for page in (
        notifications,
        my_team,
        my_series,
        strength_of_schedule,
        availability,
        schedule_grid,
        practice_times,
        last_matches,
        teams_and_players,
        simulator,
        club_standings,
        food_and_beer,
    )
)
