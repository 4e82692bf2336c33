"""Three weekly scrapes of the sample season, and what changes from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from rally_etl.sample import files
from rally_etl.sample.files import Scrape
from rally_etl.sample.league import League, Player, Team, leagues
from rally_etl.sample.play import Match, corrected, results

SEED = 20250923


@dataclass(frozen=True, slots=True)
class Week:
    """One scrape of the season."""

    number: int
    rounds: int  # rounds played so far
    scraped_at: datetime

    @property
    def folder(self) -> str:
        """The name of its scrape folder."""
        return f"week-{self.number}"

    @property
    def as_of(self) -> date:
        """The day of the scrape: what a run takes for today."""
        return self.scraped_at.date()


WEEKS = (
    Week(1, 2, datetime(2025, 10, 3, 7, 30)),
    Week(2, 3, datetime(2025, 10, 10, 7, 30)),
    Week(3, 4, datetime(2025, 10, 17, 7, 30)),
)
MOVER = ("Tennaqua 12", "Tennaqua 21")  # the last of the first team plays for the second from week 2 on
NEWCOMER_TEAM = "Evanston 12"
CORRECTED = ("Prairie Club 12", 2)  # host of round 1, line: the score is corrected in week 2
RE_READ = "Skokie 12"  # host in round 2; in week 3 the site prints its date a week late


def write(folder: Path) -> list[Path]:
    """Write the scrape folders `week-1`, `week-2` and `week-3`; answer them. The same bytes every time."""
    return [_write_week(folder / week.folder, week) for week in WEEKS]


def _write_week(folder: Path, week: Week) -> Path:
    apta, nstf = leagues(SEED)
    rosters = [apta if number <= WEEKS[0].rounds else _moved(apta) for number in range(1, week.rounds + 1)]
    played = _corrected(results(rosters, SEED), week)
    _write_league(folder / apta.key, _apta_scrape(rosters[-1], played, week), week)
    _write_league(folder / nstf.key, _nstf_scrape(nstf, results([nstf] * week.rounds, SEED), week), week)
    return folder


def _write_league(folder: Path, scrape: Scrape, week: Week) -> None:
    files.write_file(folder, "players", files.players(scrape) + _junk_players(scrape, week))
    files.write_file(folder, "match_scores", files.match_scores(scrape))
    files.write_file(folder, "series_stats", files.series_stats(scrape))
    files.write_file(folder, "schedules", files.schedules(scrape) + _junk_schedules(scrape))
    if scrape.league.key == "APTA_CHICAGO":
        files.write_file(folder, "player_history", files.player_history(scrape))


def _corrected(matches: list[Match], week: Week) -> list[Match]:
    """From week 2 on, one score of round 1 reads otherwise; its winner stays."""
    if week.number == 1:
        return matches
    host, number = CORRECTED
    return [corrected(m, number) if (m.fixture.host.name, m.fixture.round) == (host, 1) else m for m in matches]


def _moved(league: League) -> League:
    """Answer the league of week 2 on: one person plays for another team, another one is new."""
    leaver = next(team for team in league.teams if team.name == MOVER[0]).players[-1]
    newcomer = Player("nndz-NewInWeekTwo0T09", "Bram", "Flousson", 41.0, is_rated=False)
    changes = {MOVER[0]: ((), leaver), MOVER[1]: ((leaver,), None), NEWCOMER_TEAM: ((newcomer,), None)}

    def changed(team: Team) -> Team:
        come, go = changes.get(team.name, ((), None))
        return replace(team, players=tuple(p for p in team.players if p is not go) + come)

    return replace(league, teams=tuple(changed(team) for team in league.teams))


def _apta_scrape(league: League, matches: list[Match], week: Week) -> Scrape:
    """Print the league as its site does: from week 2 on, match pages lose " SW" and write "Midtown - Chicago"."""
    scrape = Scrape(league, matches, week.scraped_at)
    if week.number >= 2:
        scrape = replace(scrape, match_team=lambda name: _midtown(name.removesuffix(" SW")))
        scrape = replace(scrape, schedule_team=_midtown, location=_midtown)
    if week.number >= 3:
        late = {m.match_id: 7 for m in matches if m.fixture.host.name == RE_READ and m.fixture.round == 2}
        scrape = replace(scrape, late_dates=late, schedule_team=lambda name: _midtown(name).replace("PC", "Pc"))
    return scrape


def _nstf_scrape(league: League, matches: list[Match], week: Week) -> Scrape:
    """Print the league as its site does: a double blank in "Lake Forest  S1" on the schedule, from week 3 on."""
    scrape = Scrape(league, matches, week.scraped_at)
    if week.number >= 3:
        scrape = replace(scrape, schedule_team=lambda name: name.replace("Lake Forest", "Lake Forest "))
    return scrape


def _midtown(name: str) -> str:
    return name.replace("Midtown Chicago", "Midtown - Chicago")


def _junk_players(scrape: Scrape, week: Week) -> list[dict]:
    """Answer rows that are no players: a menu of the site, a placeholder, a row printed twice."""
    rows = files.players(scrape)
    if scrape.league.key == "NSTF":
        return [
            {
                **rows[0],
                "Player ID": "nndz-Placeholder1aT09",
                "First Name": "Court 5",
                "Last Name": "No Player 1",
                "Captain": "",
            }
        ]
    menu = {**rows[0], "Player ID": "sharing", "First Name": "New", "Last Name": "PTI Algo Description & FAQs"}
    return [rows[7], menu][: week.number]


def _junk_schedules(scrape: Scrape) -> list[dict]:
    """Answer rows that are no fixtures: a bye and a practice, as NSTF prints them."""
    if scrape.league.key != "NSTF":
        return []
    bye = {**files.schedules(scrape)[0], "away_team": "BYE", "location": ""}
    practice = {"date": "10/05/2025", "time": "10:30 AM", "Practice": "Birchwood", "Series": "Series 1"}
    return [bye, practice]
