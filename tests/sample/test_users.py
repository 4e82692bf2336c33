"""Sample users: attached to live teams, written once."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from rally_etl.errors import UsageError
from rally_etl.sample import season
from rally_etl.sample.users import TEAMS, users

LOAD = """
    insert into leagues (league_id, league_name) select distinct league, league from staged;
    insert into clubs (name) select distinct split_part(team, ' ', 1) from staged;
    insert into series (name, display_name, league_id)
    select distinct s.series, s.series, l.id from staged as s join leagues as l on l.league_id = s.league;
    insert into teams (club_id, series_id, league_id, team_name, display_name)
    select distinct c.id, r.id, l.id, s.team, s.team
    from staged as s
    join leagues as l on l.league_id = s.league
    join series as r on r.league_id = l.id and r.name = s.series
    join clubs as c on c.name = split_part(s.team, ' ', 1);
    insert into players (tenniscores_player_id, first_name, last_name, league_id, club_id, series_id, team_id)
    select distinct on (s.id, t.id) s.id, s.first_name, s.last_name, t.league_id, t.club_id, t.series_id, t.id
    from staged as s
    join leagues as l on l.league_id = s.league
    join teams as t on t.league_id = l.id and t.team_name = s.team;
    insert into schedule (league_id, match_date, home_team, away_team, home_team_id, away_team_id)
    select a.league_id, date '2025-10-07' + a.id % 3, a.team_name, b.team_name, a.id, b.id
    from teams as a join teams as b on b.series_id = a.series_id and b.id > a.id;
    drop table staged;
"""


@pytest.fixture
def published(engine, tmp_path):
    """A database that holds teams and players of week 1, by a shorter way than a run."""
    week = season.write(tmp_path / "sample")[0]
    rows = [
        {
            "league": row["League"],
            "id": row["Player ID"],
            "first_name": row["First Name"],
            "last_name": row["Last Name"],
            "team": row.get("Team") or row["Series Mapping ID"],
            "series": row["Series"],
        }
        for key in ("APTA_CHICAGO", "NSTF")
        for row in json.loads((week / key / "players.json").read_text())
    ]
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "create table staged (league text, id text, first_name text, last_name text, team text, series text)"
            )
        )
        connection.execute(
            sa.text("insert into staged select * from jsonb_populate_recordset(null::staged, cast(:rows as jsonb))"),
            {"rows": json.dumps(rows)},
        )
        connection.execute(sa.text(LOAD))
    return engine


def test_users_are_attached_to_live_rows(published):
    """Every reference of a user row, hard or soft, points at a live row of its team."""
    counts = users(published)

    with published.connect() as connection:
        lost = connection.scalar(
            sa.text("""
            select count(*) from users as u
            left join user_player_associations as a on a.user_id = u.id
            left join user_contexts as c on c.user_id = u.id
            left join players as p on p.tenniscores_player_id = a.tenniscores_player_id and p.team_id = c.team_id
            where p.id is null
        """)
        )
        practices = connection.scalar(
            sa.text("""
            select count(*) from schedule as s join teams as t on t.id = s.home_team_id
            join clubs as c on c.id = t.club_id join series as r on r.id = t.series_id
            where s.home_team = c.name || ' Practice - ' || r.name and s.away_team is null
        """)
        )
    assert 3 * len(TEAMS) == counts["users"]
    assert 0 == lost
    assert counts["schedule"] == practices > 0


def test_second_writing_writes_nothing(published):
    """What users changed since stays as they changed it."""
    users(published)
    with published.begin() as connection:
        connection.execute(sa.text("update polls set question = 'Other?'"))

    assert {} == users(published)
    with published.connect() as connection:
        assert ["Other?"] == connection.scalars(sa.text("select distinct question from polls")).all()


def test_teams_that_are_not_live(engine):
    """Without week 1 there is nobody to attach to: nothing is written, the hint says what to do."""
    with pytest.raises(UsageError, match="hint: publish week-1"):
        users(engine)

    with engine.connect() as connection:
        assert 0 == connection.scalar(sa.text("select count(*) from users"))
