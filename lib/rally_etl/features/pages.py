"""Every page that is asked, in the order in which people meet them."""

from __future__ import annotations

from rally_etl.features import (
    all_team_availability,
    analyze_me,
    availability,
    club_standings,
    courts_and_partners,
    find_subs,
    food_and_beer,
    last_matches,
    last_season,
    lineup,
    my_series,
    my_team,
    notifications,
    pairing,
    pickup_games,
    player_search,
    polls,
    practice_times,
    pti_chart,
    registration,
    schedule_grid,
    session,
    simulator,
    strength_of_schedule,
    switching,
    teams_and_players,
    tracking,
    update_availability,
)
from rally_etl.features.feature import Feature

FEATURES: tuple[Feature, ...] = tuple(
    page.FEATURE
    for page in (
        registration,
        session,
        switching,
        notifications,
        my_team,
        my_series,
        strength_of_schedule,
        availability,
        update_availability,
        all_team_availability,
        schedule_grid,
        practice_times,
        polls,
        lineup,
        pairing,
        tracking,
        analyze_me,
        courts_and_partners,
        pti_chart,
        last_season,
        last_matches,
        teams_and_players,
        player_search,
        find_subs,
        pickup_games,
        simulator,
        club_standings,
        food_and_beer,
    )
)
