"""Sample users and what they wrote, attached to live teams and players as the application would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time

import sqlalchemy as sa

from rally_etl.errors import UsageError

# Teams whose first players have accounts; the first of them is captain of the account's doings.
TEAMS = (
    ("APTA_CHICAGO", "Tennaqua 2"),
    ("APTA_CHICAGO", "Hinsdale PC II 11 SW"),
    ("APTA_CHICAGO", "Glen Ellyn 17 SW"),
    ("NSTF", "Birchwood S1"),
)
USERS_PER_TEAM = 3
# The made-up addresses tell that the sample is there already.
DOMAIN = "sample.example"
MAIL = "{team}.{number}@" + DOMAIN
PASSWORD_HASH = "!"  # nobody can log in with it

Insert = Callable[..., "int | None"]

ROSTER = sa.text("""
    select
        t.id as team_id, t.series_id, t.league_id, s.name as series, c.name as club,
        p.id as player_id, p.tenniscores_player_id, p.first_name, p.last_name
    from teams as t
    join leagues as l on l.id = t.league_id
    join series as s on s.id = t.series_id
    join clubs as c on c.id = t.club_id
    join players as p on p.team_id = t.id and p.is_active
    where l.league_id = :league and t.team_name = :team
    order by p.tenniscores_player_id
""")
NEXT_DATES = sa.text("""
    select distinct match_date from schedule
    where :team_id in (home_team_id, away_team_id) and home_team not ilike '%practice%'
    order by match_date limit 4
""")


def users(engine: sa.Engine) -> dict[str, int]:
    """Write the sample users and their rows in one transaction; answer the rows written per table.

    A second call writes nothing: what is there is left as the users changed it.

    Raises:
        UsageError: a team of the sample is not live; nothing was written.
    """
    with engine.begin() as connection:
        counts: dict[str, int] = {}
        taken: set[str] = set()
        insert = _inserter(connection, counts)
        for league, team in TEAMS:
            _team(connection, insert, league, team, taken)
        return counts


def _inserter(connection: sa.Connection, counts: dict[str, int]) -> Insert:
    """Answer a function that inserts one row, answers its id if it has one, and counts rows per table."""
    tables = sa.MetaData()

    def insert(name: str, **values: object) -> int | None:
        table = tables.tables.get(name)
        if table is None:
            table = sa.Table(name, tables, autoload_with=connection, resolve_fks=False)
        counts[name] = counts.get(name, 0) + 1
        key = table.c.id if "id" in table.c else sa.null()
        return connection.scalar(table.insert().values(**values).returning(key))

    return insert


def _team(connection: sa.Connection, insert: Insert, league: str, team: str, taken: set[str]) -> None:
    rows = connection.execute(ROSTER, {"league": league, "team": team}).all()
    # A person has one account, also when playing in two of the teams.
    people = [row for row in rows if row.tenniscores_player_id not in taken][:USERS_PER_TEAM]
    if len(people) < USERS_PER_TEAM:
        raise UsageError(
            f"the sample's team {team} ({league}) is not live; no sample users were written\n"
            "hint: publish week-1 of the sample season first"
        )
    taken |= {row.tenniscores_player_id for row in people}
    mails = [MAIL.format(team=team.lower().replace(" ", "-"), number=number) for number in range(1, len(people) + 1)]
    if connection.scalar(sa.text("select 1 from users where email = :mail"), {"mail": mails[0]}):
        return
    accounts = [_account(insert, mail, row) for mail, row in zip(mails, people, strict=True)]
    dates = connection.scalars(NEXT_DATES, {"team_id": people[0].team_id}).all()
    _talk(insert, accounts, people)
    _plans(insert, accounts, people, dates)
    _practices(insert, people[0], dates)


def _account(insert: Insert, mail: str, row: sa.Row) -> int:
    user = insert(
        "users",
        email=mail,
        password_hash=PASSWORD_HASH,
        first_name=row.first_name,
        last_name=row.last_name,
        league_context=row.league_id,
    )
    insert("user_player_associations", user_id=user, tenniscores_player_id=row.tenniscores_player_id)
    insert("user_contexts", user_id=user, league_id=row.league_id, team_id=row.team_id, series_id=row.series_id)
    return user


def _talk(insert: Insert, accounts: list[int], people: list[sa.Row]) -> None:
    """A captain's poll with an answer of everybody, and a message to the team."""
    team = people[0].team_id
    poll = insert("polls", team_id=team, created_by=accounts[0], question="Which evening suits you for practice?")
    choices = [insert("poll_choices", poll_id=poll, choice_text=text) for text in ("Monday", "Friday")]
    for number, row in enumerate(people):
        insert("poll_responses", poll_id=poll, choice_id=choices[number % 2], player_id=row.player_id)
    insert("captain_messages", team_id=team, captain_user_id=accounts[0], message="Bring both balls and a warm hat.")


def _plans(insert: Insert, accounts: list[int], people: list[sa.Row], dates: list) -> None:
    """Who can play on the next dates (days are stored as midnight UTC), and a saved line-up of names."""
    for number, (user, row) in enumerate(zip(accounts, people, strict=True)):
        for place, day in enumerate(dates):
            insert(
                "player_availability",
                player_name=f"{row.first_name} {row.last_name}",
                match_date=datetime.combine(day, time(), UTC),
                availability_status=1 + (number + place) % 3,
                series_id=row.series_id,
                player_id=row.player_id,
                user_id=user,
            )
    names = ", ".join(f'"{row.first_name} {row.last_name}"' for row in people)
    insert(
        "saved_lineups",
        user_id=accounts[0],
        team_id=people[0].team_id,
        lineup_name="First choice",
        lineup_data=f'{{"court1": [{names}]}}',
    )
    for row in people:
        insert(
            "player_season_tracking",
            player_id=row.tenniscores_player_id,
            team_id=row.team_id,
            league_id=row.league_id,
            season_year=2025,
            forced_byes=1,
        )


def _practices(insert: Insert, row: sa.Row, dates: list) -> None:
    """Practice times live in the schedule: a row without an opponent, two days before a match."""
    for day in dates:
        insert(
            "schedule",
            league_id=row.league_id,
            match_date=day.fromordinal(day.toordinal() - 2),
            match_time=time(19, 0),
            home_team=f"{row.club} Practice - {row.series}",
            home_team_id=row.team_id,
        )
