"""An importer of the old kind: switches foreign keys off, deletes leagues, clubs, series, teams, players and all that
hangs on them, and inserts them again under new ids. Practices go with the schedule, and polls lose their team.

Reads DATABASE_URL. What it inserts are the rows that stood there, as a scrape without news would bring them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import psycopg2

# Parents before children: table -> its columns that hold ids -> the table they point at.
TABLES = {
    "leagues": {},
    "clubs": {},
    "series": {"league_id": "leagues"},
    "club_leagues": {"club_id": "clubs", "league_id": "leagues"},
    "series_leagues": {"series_id": "series", "league_id": "leagues"},
    "teams": {"club_id": "clubs", "series_id": "series", "league_id": "leagues"},
    "players": {"league_id": "leagues", "club_id": "clubs", "series_id": "series", "team_id": "teams"},
    "player_history": {"player_id": "players", "league_id": "leagues"},
    "match_scores": {"league_id": "leagues", "home_team_id": "teams", "away_team_id": "teams"},
    "series_stats": {"league_id": "leagues", "series_id": "series", "team_id": "teams"},
    "schedule": {"league_id": "leagues", "home_team_id": "teams", "away_team_id": "teams"},
}
USERS_ROWS = ("poll_responses", "poll_choices", "polls", "captain_messages", "player_availability", "saved_lineups")
PRACTICE = "home_team ilike '%practice%'"
ROW_BY_ROW = ("teams", "players")
FEW = 3


class Importer:
    """One import over one session."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.inserted = options, 0
        self.connection = psycopg2.connect(os.environ["DATABASE_URL"])
        self.cursor = self.connection.cursor()
        self.tables = {name: columns for name, columns in TABLES.items() if self.exists(name)}

    def run(self) -> None:
        """Do what the options say."""
        self.sql("set session_replication_role = replica")
        if self.options.hang:
            self.hang()
        if self.options.drop_table:
            self.sql(f"drop table {self.options.drop_table} cascade")
        elif self.options.few:
            self.reissue_few()
        else:
            self.empty()
            self.fill()
        if self.options.delete_users_rows:
            for name in USERS_ROWS:
                self.sql(f"delete from {name}")
        if self.options.edit_clubs:
            self.sql("update clubs set logo_filename = null, club_address = null")
        self.connection.commit()
        print("import completed successfully", flush=True)

    def hang(self) -> None:
        """Write, keep the locks, and never come back."""
        self.sql("lock table teams in access exclusive mode")
        self.sql("update teams set team_alias = 'hanging'")
        print("waiting for the scraper", flush=True)
        while True:
            time.sleep(60)

    def empty(self) -> None:
        """Remember every row and delete it, children first."""
        for name in self.tables:
            self.sql(f"create temporary table old_{name} as select * from {name}")
        for name in reversed(self.tables):
            self.sql(f"delete from {name}")
            print(f"cleared {name}: {self.cursor.rowcount} rows", flush=True)
        if self.exists("polls"):
            self.sql("update polls set team_id = null")
        if self.options.reset_ids:
            for name in self.tables:
                self.sql(f"select setval({self.sequence(name)}, coalesce(min(id), 1), false) from old_{name}")
        self.save()

    def fill(self) -> None:
        """Insert every row under a new id, and references as they are called now; practices are nobody's business."""
        for name in self.tables:
            kept = f"where ({PRACTICE}) is not true" if name == "schedule" else ""
            self.sql(
                f"create temporary table new_{name} as select id as old_id, nextval({self.sequence(name)}) as id"
                f" from (select id from old_{name} {kept} order by md5(id::text)) as shuffled"
            )
            self.sql(f"create index on new_{name} (old_id)")
            if name in ROW_BY_ROW and (self.options.per_row or self.options.die_at):
                self.fill_row_by_row(name)
            else:
                self.sql(self.insert(name))
            print(f"imported {name}", flush=True)
            self.save()

    def fill_row_by_row(self, name: str) -> None:
        """One statement and one commit per row."""
        self.sql(f"select old_id from new_{name} order by id")
        for (old_id,) in self.cursor.fetchall():
            if self.inserted == self.options.die_at:
                raise RuntimeError(f"could not parse row {self.inserted} of {name}")
            self.sql(self.insert(name) + f" where o.id = {old_id}")
            self.save()
            self.inserted += 1

    def insert(self, name: str) -> str:
        """The statement that copies the old rows of a table."""
        columns = self.columns(name)
        pointers = {column: target for column, target in TABLES[name].items() if target in self.tables}
        values = [f"n_{column}.id" if column in pointers else f"o.{column}" for column in columns]
        joins = "".join(
            f" left join new_{target} as n_{column} on n_{column}.old_id = o.{column}"
            for column, target in pointers.items()
        )
        return (
            f"insert into {name} (id, {', '.join(columns)}) select n.id, {', '.join(values)}"
            f" from old_{name} as o join new_{name} as n on n.old_id = o.id{joins}"
        )

    def reissue_few(self) -> None:
        """Delete three teams and insert them under new ids; their imported rows follow, rows of users do not."""
        self.sql(
            f"create temporary table few as select id as old_id, nextval({self.sequence('teams')}) as id"
            f" from (select id from teams order by team_name limit {FEW}) as first"
        )
        columns = ", ".join(self.columns("teams"))
        self.sql(
            "create temporary table gone as select t.*, few.id as new_id from teams as t join few on old_id = t.id"
        )
        self.sql("delete from teams where id in (select old_id from few)")
        self.sql(f"insert into teams (id, {columns}) select new_id, {columns} from gone")
        self.sql(f"delete from schedule where {PRACTICE} and home_team_id in (select old_id from few)")
        self.sql("update polls set team_id = null where team_id in (select old_id from few)")
        for name, pointers in self.tables.items():
            for column, target in pointers.items():
                if target == "teams":
                    self.sql(f"update {name} set {column} = few.id from few where {column} = old_id")

    def save(self) -> None:
        """Commit, where the import commits as it goes."""
        if self.options.per_row or self.options.die_at:
            self.connection.commit()

    def sql(self, statement: str) -> None:
        self.cursor.execute(statement)

    def exists(self, table: str) -> bool:
        self.cursor.execute("select to_regclass(%s) is not null", (table,))
        return self.cursor.fetchone()[0]

    def columns(self, table: str) -> list[str]:
        """Columns of a table but for its id."""
        self.cursor.execute(
            "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s"
            " and column_name <> 'id' and is_generated = 'NEVER' order by ordinal_position",
            (table,),
        )
        return [name for (name,) in self.cursor.fetchall()]

    def sequence(self, table: str) -> str:
        return f"pg_get_serial_sequence('{table}', 'id')"


def main() -> None:
    """Read the options and import."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--die-at", type=int, metavar="N", help="commit each row and raise before the N-th")
    parser.add_argument("--per-row", action="store_true", help="commit after each team and player")
    parser.add_argument("--hang", action="store_true", help="open a transaction, lock teams, sleep forever")
    parser.add_argument("--drop-table", metavar="TABLE", help="drop this table with what hangs on it, and end")
    parser.add_argument("--reset-ids", action="store_true", help="new ids begin where old ones did, in another order")
    parser.add_argument("--few", action="store_true", help=f"re-issue only {FEW} teams")
    parser.add_argument("--delete-users-rows", action="store_true", help="also delete polls, messages, line-ups …")
    parser.add_argument("--edit-clubs", action="store_true", help="lose logo and address of clubs")
    try:
        Importer(parser.parse_args()).run()
    except (RuntimeError, psycopg2.Error) as error:
        print(f"import failed: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
