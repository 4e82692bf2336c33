"""Rows of users in quantity: of every kind, on live teams, the same for the same seed, in any shape of database."""

from __future__ import annotations

import json

import pytest

from rally_etl.sample.attachments import attach
from rally_etl.sample.users import DOMAIN
from scrapes import Import, player, small

LEGACY = {
    "by date": "create table practice_times (id serial primary key, team_id integer not null, practice_date date,"
    " start_time time, end_time time, court_number integer, notes text, created_by integer references users(id),"
    " constraint one_a_day unique (team_id, practice_date))",
    "by weekday": "create table practice_times (id serial primary key, team_id integer, league_id integer,"
    " day_of_week varchar(20), start_time time, end_time time, location varchar(255))",
}
WRITTEN_NOW = ("created_at", "updated_at", "timestamp", "last_updated", "joined_at", "responded_at", "added_at",
               "viewed_at", "initiator_submitted_at")  # fmt: skip


@pytest.fixture
def importing(engine, settings) -> Import:
    """The small scrape, live; one person plays in two teams."""
    imports = Import(engine, settings)
    kinds = small()
    kinds["players"].append(player("Tennaqua121", "Hinsdale PC I 7 SW"))
    imports.load(kinds)
    return imports


def rows_of(imports: Import) -> dict[str, list[str]]:
    """Table -> its rows as text, without the time at which they were written."""
    tables = imports.column("select tablename from pg_tables where schemaname = 'public' order by 1")
    return {
        table: sorted(
            json.dumps({k: v for k, v in row.items() if k not in WRITTEN_NOW}, sort_keys=True)
            for row in imports.column(f'select to_jsonb(t) from "{table}" as t')
        )
        for table in tables
    }


@pytest.mark.parametrize("shape", LEGACY)
def test_every_kind_of_row(importing, shape):
    """Each user table that refers to imported rows gets rows, also the legacy one in either shape."""
    importing.write(LEGACY[shape])
    counts = attach(importing.engine, users_per_team=2)

    referring = set(
        importing.column(
            "select distinct c.relname from pg_constraint as k join pg_class as c on c.oid = k.conrelid"
            " join pg_class as t on t.oid = k.confrelid where k.contype = 'f' and t.relname in"
            " ('teams', 'players', 'series', 'clubs', 'leagues', 'users')"
        )
    )
    imported = {"teams", "players", "series", "club_leagues", "series_leagues", "player_history", "match_scores"}
    imported |= {"series_stats", "match_scores_previous_seasons"}
    assert referring - imported <= counts.keys()
    assert {"practice_times", "user_player_associations", "poll_responses"} <= counts.keys()
    assert counts["practice_times"] == 4


def test_references_are_the_members_own(importing):
    """Contexts, votes, availability and tracking name a membership of the person whose account it is."""
    attach(importing.engine, users_per_team=3)

    assert [0] == importing.column(
        "select count(*) from user_contexts as c join user_player_associations as a using (user_id)"
        " left join players as p on p.tenniscores_player_id = a.tenniscores_player_id"
        " and (p.team_id, p.series_id, p.league_id) = (c.team_id, c.series_id, c.league_id) where p.id is null"
    )
    assert [0] == importing.column(
        "select count(*) from poll_responses as r join polls as q on q.id = r.poll_id"
        " left join players as p on p.id = r.player_id and p.team_id = q.team_id where p.id is null"
    )
    assert [0] == importing.column(
        "select count(*) from player_availability as v left join players as p on p.id = v.player_id"
        " and p.series_id = v.series_id and p.first_name || ' ' || p.last_name = v.player_name where p.id is null"
    )
    assert [0] == importing.column(
        "select count(*) from schedule as s join teams as t on t.id = s.home_team_id"
        " join clubs as c on c.id = t.club_id join series as r on r.id = t.series_id"
        " where s.away_team is null and s.home_team <> c.name || ' Practice - ' || r.name"
    )
    assert [0] == importing.column(f"select count(*) from users where email not like '%@{DOMAIN}'")
    courts = [json.loads(text)["court1"] for text in importing.column("select lineup_data from saved_lineups")]
    names = set(importing.column("select first_name || ' ' || last_name from players"))
    assert courts
    assert all(set(court) <= names for court in courts)


def test_person_of_two_teams_has_one_account_and_looks_at_the_second(importing):
    """The context is the later of the two teams; availability of both stands under different days."""
    attach(importing.engine, users_per_team=4)

    (row,) = importing.rows(
        "select u.team_id as first, c.team_id as second, count(distinct v.player_id) as memberships"
        " from user_player_associations as a join users as u on u.id = a.user_id"
        " join user_contexts as c on c.user_id = u.id join player_availability as v on v.user_id = u.id"
        " where a.tenniscores_player_id = 'nndz-Tennaqua121' group by 1, 2"
    )
    assert row.first < row.second
    assert 2 == row.memberships


def test_same_seed_same_rows(importing):
    """Two databases with the same teams get the same rows; another seed makes others; scale makes more."""
    before = rows_of(importing)
    made = {}
    for name, seed, scale in (("first", 7, 1), ("again", 7, 1), ("other", 8, 1), ("more", 7, 3)):
        counts = attach(importing.engine, users_per_team=2, seed=seed, scale=scale)
        made[name] = (counts, rows_of(importing))
        importing.write("delete from schedule where home_team ilike '%practice%'")
        user_tables = [table for table in counts if table != "schedule"]
        importing.write("truncate " + ", ".join(f'"{table}"' for table in user_tables) + " restart identity")
        importing.write("select setval('schedule_id_seq', (select max(id) from schedule))")
        assert before == rows_of(importing)

    assert made["first"] == made["again"]
    assert made["first"][1] != made["other"][1]
    assert 3 * made["first"][0]["polls"] == made["more"][0]["polls"]
    assert 3 * made["first"][0]["player_availability"] == made["more"][0]["player_availability"]
    assert made["first"][0]["users"] == made["more"][0]["users"]


def test_who_has_an_account_keeps_it(importing):
    """A second call writes nothing for the same people, and no second practice on one day."""
    attach(importing.engine, users_per_team=2)
    before = rows_of(importing)

    again = attach(importing.engine, users_per_team=2)

    assert not {"users", "user_player_associations", "polls", "schedule"} & again.keys()
    assert before["users"] == rows_of(importing)["users"]


def test_late_columns_and_tables_may_be_missing(importing):
    """A database without what came late takes what it has columns for."""
    importing.write("alter table users drop column team_id")
    importing.write("alter table player_availability drop column user_id")
    importing.write("drop table videos, beer, food, player_season_tracking")

    counts = attach(importing.engine)

    assert not {"videos", "beer", "food", "player_season_tracking"} & counts.keys()
    assert counts["player_availability"] > 0


def test_without_active_teams_nothing_is_written(engine):
    """An empty database stays empty."""
    assert {} == attach(engine)
