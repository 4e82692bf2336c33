"""Which week of the sample season comes next on this database."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.engine import connect
from rally_etl.database.schema import init
from rally_etl.errors import UsageError
from rally_etl.sample import season

if TYPE_CHECKING:
    from rally_etl.settings import Settings


def next_week(settings: Settings) -> tuple[Path, date]:
    """Write the season to ``.rally/sample`` and answer the first week that is not live yet, else the last one.

    A week that was taken back as a whole comes again; undos, merges and repairs are no weeks.

    Raises:
        UsageError: the database holds leagues that are not the sample's: made-up teams do not go beside real ones.
    """
    folder = settings.state_dir / "sample"
    weeks = season.write(folder)
    engine = connect(settings)
    init(engine)
    names = {os.path.relpath(week.resolve(), settings.root): number for number, week in enumerate(weeks)}
    with engine.connect() as connection:
        imports = connection.execute(
            sa.text(
                "select r.source, bool_or(l.state <> 'undone') as stands"
                " from etl.runs as r join etl.run_leagues as l using (run_id)"
                " where l.published_at is not null and r.operation is null group by r.source"
            )
        )
        seen = {row.source: row.stands for row in imports}
        holds_rows = connection.execute(sa.text("select exists (select from public.leagues)")).scalar()
    engine.dispose()
    if seen.keys() - names.keys() or (holds_rows and not seen):
        raise UsageError(
            "this database holds real leagues; the made-up season was not imported into it"
            "\nhint: unset DATABASE_URL to use the embedded database, or give --source DIR"
        )
    number = max((names[name] for name, stands in seen.items() if stands), default=-1) + 1
    number = min(number, len(weeks) - 1)
    return weeks[number], season.WEEKS[number].as_of
