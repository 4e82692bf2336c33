"""Agreements: where two sources tell the same fact, each damage to one of them is seen by the agreement about it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import REPOSITORY, first
from rally_etl.checks import agreement
from rally_etl.checks.agreement import Compared, cards, comparing
from rally_etl.errors import UsageError
from rally_etl.settings import Settings
from scrapes import APTA, TEAMS, Import, Kinds, small

DATA = REPOSITORY.parent / "shared" / "data"
FIRST, SECOND, THIRD, FOURTH = TEAMS
SEATS = ("Home Player 1", "Home Player 2", "Away Player 1", "Away Player 2")


def agreeing() -> Kinds:
    """The small scrape with what its files tell twice: hosts have won and guests have lost, ids have their names."""
    scrape = small()
    for line in scrape["match_scores"]:
        line |= {seat: f"{line[f'{seat} ID'].removeprefix('nndz-')} Example" for seat in SEATS}
    for record in scrape["players"]:
        if record["Team"] in (SECOND, FOURTH):
            record |= {"Wins": "0", "Losses": "1", "Win %": "0.0%"}
    return scrape


@pytest.fixture(scope="module")
def importing(module_engine: sa.Engine, module_settings: Settings) -> Import:
    """Imports into a database where the agreeing scrape is published."""
    found = Import(module_engine, module_settings)
    found.load(agreeing())
    return found


@pytest.fixture(scope="module")
def compare(importing: Import) -> Callable[[Kinds], dict[str, Compared]]:
    """Plan a scrape and compare its sources: name of the agreement -> what became of it."""
    known: dict[str, dict[str, Compared]] = {}  # several agreements are broken by one damage

    def compared(scrape: Kinds) -> dict[str, Compared]:
        text = json.dumps([comparing.FEW, scrape])
        if text not in known:
            run_id = importing.plan(scrape)
            found = agreement.compare_sources(importing.engine, importing.settings, run_id)
            known[text] = {each.name: each for each in found}
        return known[text]

    return compared


def without(scrape: Kinds, kind: str, key: str, *values: str) -> None:
    """Leave out the records of a kind that say one of *values* under *key*."""
    scrape[kind] = [record for record in scrape[kind] if record[key] not in values]


def turned(line: dict) -> dict:
    """A line that the other side has won."""
    return line | {"Winner": "away", "Scores": "6-2, 6-4"}


def lose_rosters(scrape: Kinds) -> None:
    without(scrape, "players", "Team", SECOND)


def lose_most_rosters(scrape: Kinds) -> None:
    without(scrape, "players", "Team", SECOND, FOURTH)


def lose_standings(scrape: Kinds) -> None:
    without(scrape, "series_stats", "team", THIRD, FOURTH)


def lose_schedule(scrape: Kinds) -> None:
    without(scrape, "schedules", "home_team", FOURTH)


def play_strangers(scrape: Kinds) -> None:
    scrape["match_scores"][0]["Home Player 1 ID"] = "nndz-stranger"


def exchange_names(scrape: Kinds) -> None:
    line = scrape["match_scores"][0]
    line["Home Player 1"], line["Away Player 1"] = line["Away Player 1"], line["Home Player 1"]


def lose_a_line(scrape: Kinds) -> None:
    scrape["match_scores"].pop()


def turn_results(scrape: Kinds) -> None:
    scrape["match_scores"] = [turned(line) for line in scrape["match_scores"]]


def turn_a_result(scrape: Kinds) -> None:
    scrape["match_scores"][0] = turned(scrape["match_scores"][0])


def move_the_schedule(scrape: Kinds) -> None:
    scrape["schedules"][1]["date"] = "11/25/2025"


def stamp_later_days(scrape: Kinds) -> None:
    for line in scrape["match_scores"]:
        line["Date"] = "30-Sep-25"


def exchange_sides(scrape: Kinds) -> None:
    for line in scrape["match_scores"][:2]:
        line["Home Team"], line["Away Team"] = line["Away Team"], line["Home Team"]


DAMAGES = {
    "teams_of_rosters_and_standings": (lose_rosters, "warned", 3, 4),
    "teams_of_rosters_and_schedule": (lose_schedule, "warned", 2, 4),
    "teams_of_standings_and_schedule": (lose_standings, "warned", 2, 4),
    "teams_that_play_have_rosters": (lose_most_rosters, "held", 2, 4),
    "teams_that_play_have_standings": (lose_standings, "held", 2, 4),
    "people_who_play_are_listed": (play_strangers, "warned", 15, 16),
    "names_on_cards": (exchange_names, "held", 14, 16),
    "players_on_their_side": (exchange_sides, "held", 8, 16),
    "player_records": (lose_a_line, "warned", 12, 16),
    "player_wins": (turn_results, "failed", 0, 16),
    "matches_are_scheduled": (move_the_schedule, "held", 1, 2),
    "match_dates": (stamp_later_days, "warned", 0, 2),
    "match_hosts": (exchange_sides, "held", 1, 2),
    "known_results": (turn_a_result, "held", 3, 4),
    "known_dates": (stamp_later_days, "measured", 0, 4),
    "known_lines_stay": (lose_a_line, "warned", 3, 4),
}


def test_agreeing_sources_pass(compare):
    """A scrape whose files tell the same, and what the last one told, has nothing to say."""
    found = compare(agreeing())

    expected = dict.fromkeys(found, "passed") | {"known_dates": "measured"}
    assert expected == {name: each.outcome for name, each in found.items()}
    assert {1.0} == {each.share for each in found.values()}
    assert [] == [name for name, each in found.items() if not each.compared]


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_seen(compare, name, monkeypatch):
    """Each agreement is broken by a damage to one of its files, and names what is told differently."""
    monkeypatch.setattr(comparing, "FEW", 1)  # the scrape is a small one
    damage, outcome, agreeing_facts, facts = DAMAGES[name]
    scrape = agreeing()
    damage(scrape)

    found = compare(scrape)[name]

    assert (outcome, agreeing_facts, facts) == (found.outcome, found.agreeing, found.compared)
    assert facts - agreeing_facts == len(found.told)


def test_few_facts_hold_nobody(compare):
    """One corrected line of four is more than a fifth and no contradiction: it is told."""
    damage, outcome, _, _ = DAMAGES["known_results"]
    scrape = agreeing()
    damage(scrape)

    found = compare(scrape)["known_results"]

    assert ("held", "warned") == (outcome, found.outcome)
    assert 1 == len(found.told)


def test_every_agreement_has_a_damage():
    """An agreement that nothing breaks in a test is none that can be relied on."""
    assert {each.name for each in agreement.read_agreements(REPOSITORY / "params")} == DAMAGES.keys()


def test_every_agreement_is_described():
    """docs/cross-source.md has a row per agreement, with its bounds."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (REPOSITORY / "docs/cross-source.md").read_text("utf-8"), re.M)
    bounds = {name: text for name, text in rows if name in DAMAGES}

    assert {
        each.name: ", ".join(f"{100 * bound:g} %" for bound in sorted(each.bounds.values())) or "none"
        for each in agreement.read_agreements(REPOSITORY / "params")
    } == bounds


def test_what_differs_most_comes_first(compare):
    """The words of a difference say what each source tells, the furthest apart first."""
    scrape = agreeing()
    scrape["players"][0] |= {"Wins": "4"}
    scrape["players"][1] |= {"Wins": "2"}

    told = compare(scrape)["player_records"].told

    assert (
        f"Tennaqua121 Example ({FIRST}): 4-0 on the roster, 1-0 in lines",
        f"Tennaqua122 Example ({FIRST}): 2-0 on the roster, 1-0 in lines",
    ) == told


def test_missing_files_are_said(importing):
    """What cannot be compared because a kind was not scraped is named, and is no pass and no fault."""
    scrape = {kind: records for kind, records in agreeing().items() if kind in ("players", "series_stats")}
    run_id = importing.plan(scrape)

    found = {each.name: each for each in agreement.compare_sources(importing.engine, importing.settings, run_id)}
    measures = agreement.agreement_measures(importing.engine, importing.settings, run_id)[APTA]

    assert ["teams_of_rosters_and_standings"] == [name for name, each in found.items() if each.outcome != "skipped"]
    assert "the scrape has no usable file of match_scores and schedules" == found["match_dates"].note
    assert len(found) - 1 == measures["agreements_skipped"]["value"]
    assert {0} == {measures[f"agreements_{each}"]["value"] for each in ("errored", "failed", "held", "warned")}
    assert {"agreement.teams_of_rosters_and_standings"} == {name for name in measures if "." in name}


def test_files_without_a_common_fact_are_a_warning(compare):
    """Both files are there and nothing in them can be compared: that is no pass."""
    scrape = agreeing()
    scrape["schedules"] = [record | {"date": "01/20/2026"} for record in scrape["schedules"][-1:]]

    found = compare(scrape)["match_dates"]

    assert ("warned", 0) == (found.outcome, found.compared)
    assert "nothing in common" in found.note


def test_measures_count_what_the_gate_asks(importing):
    """Counts per outcome with the title, the figures and the worst example; a share per agreement for trends."""
    scrape = agreeing()
    turn_results(scrape)
    run_id = importing.plan(scrape)
    agreement.compare_sources(importing.engine, importing.settings, run_id)

    measures = agreement.agreement_measures(importing.engine, importing.settings, run_id)[APTA]

    assert (1, 1) == (measures["agreements_failed"]["value"], measures["agreements_held"]["value"])
    (told,) = measures["agreements_failed"]["detail"]
    assert told.startswith("Players have won as many lines as their roster says: 0 of 16, 50% are expected; ")
    assert 0.0 == measures["agreement.player_wins"]["value"]
    assert 1.0 == measures["agreement.player_records"]["value"]


def test_unmeasured_agreement_is_an_error(importing):
    """A run whose sources nobody compared has not passed."""
    run_id = importing.plan(agreeing())

    measures = agreement.agreement_measures(importing.engine, importing.settings, run_id)[APTA]

    assert len(DAMAGES) == measures["agreements_errored"]["value"]
    assert all(text.endswith(": not measured") for text in measures["agreements_errored"]["detail"])


def test_query_that_does_not_run_is_an_error(importing, tmp_path):
    """Fail closed: the others are measured, this one counts against the run."""
    settings = own_params(importing.settings, tmp_path)
    (tmp_path / "params/agreement/match_dates.sql").write_text("select nothing from nowhere", encoding="utf-8")
    run_id = importing.plan(agreeing())

    found = agreement.compare_sources(importing.engine, settings, run_id)
    measures = agreement.agreement_measures(importing.engine, settings, run_id)[APTA]

    assert {"match_dates": 'relation "nowhere" does not exist'} == {
        each.name: each.note for each in found if each.outcome == "errored"
    }
    assert 1 == measures["agreements_errored"]["value"]


def test_rows_of_another_scrape_are_not_compared(importing):
    """The staged rows are a cache of the newest file: what a later scrape left there proves nothing about this one."""
    run_id = importing.plan(agreeing())
    later = agreeing()
    lose_a_line(later)
    importing.stage(later)

    found = {each.name: each for each in agreement.compare_sources(importing.engine, importing.settings, run_id)}

    assert "errored" == found["match_dates"].outcome
    assert "the staged rows of match_scores are not those of this run's file" == found["match_dates"].note
    assert "passed" == found["teams_of_rosters_and_schedule"].outcome


def test_comparing_writes_nothing_but_results(importing):
    """A query that would write is refused by the database, and counts as one that could not be measured."""
    run_id = importing.plan(agreeing())
    before = importing.column("select count(*) from teams")
    asked = agreement.read_agreements(importing.settings.params_dir)[0]
    writing = asked.model_copy(update={"name": "writing"})
    writing.__dict__["sql"] = "with gone as (delete from public.teams returning 1) select 1 as fact from gone"

    with comparing.opened(importing.engine, binds_of(run_id)) as connection:
        found = comparing.compare(connection, writing, binds_of(run_id), dict.fromkeys(asked.files, True))

    assert "errored" == found.outcome
    assert before == importing.column("select count(*) from teams")


def test_marks_and_blanks_make_no_other_name(compare):
    """A substitute's mark, another case and a hyphen are no other person."""
    scrape = agreeing()
    scrape["match_scores"][0]["Home Player 1"] = "TENNAQUA121  Exam-ple (S)"

    assert (16, 16) == (compare(scrape)["names_on_cards"].agreeing, compare(scrape)["names_on_cards"].compared)


def test_large_file_is_not_read_again_for_its_names(importing, monkeypatch):
    """That would cost more than it tells; it is said, and the other agreements do without."""
    monkeypatch.setattr(cards, "LARGEST_BYTES", 10)
    run_id = importing.plan(agreeing())

    found = {each.name: each for each in agreement.compare_sources(importing.engine, importing.settings, run_id)}

    assert "skipped" == found["names_on_cards"].outcome
    assert "is not read a second time for its names" in found["names_on_cards"].note
    assert ["names_on_cards"] == [name for name, each in found.items() if each.outcome == "skipped"]


def test_file_that_the_archive_has_lost_is_an_error(importing, tmp_path):
    """What cannot be read again has not agreed."""
    run_id = importing.plan(agreeing())
    lost = Settings(root=tmp_path, database_url=importing.settings.database_url)
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")

    found = {each.name: each for each in agreement.compare_sources(importing.engine, lost, run_id)}

    assert "errored" == found["names_on_cards"].outcome
    assert "cannot be read from the archive" in found["names_on_cards"].note


def binds_of(run_id: str) -> dict[str, object]:
    """Binds of every query, for the league of the small scrape."""
    return {"league": APTA, "league_id": 1, "run_id": run_id, "id_prefix": "^nndz-"}


def own_params(settings: Settings, folder: Path) -> Settings:
    """The settings with params of their own to write into, and the same archive."""
    shutil.copytree(REPOSITORY / "params", folder / "params")
    (folder / ".rally").symlink_to(settings.root / ".rally", target_is_directory=True)
    return Settings(root=folder, database_url=settings.database_url)


BROKEN_PARAMS = [
    ("agreement.yaml", ("bounds: {warn: 0.33}", "bounds: {warn: 33}"), "less than or equal to 1"),
    ("agreement.yaml", ("bounds: {warn: 0.33}", "bounds: {alarm: 0.33}"), "alarm"),
    ("agreement.yaml", ("name: match_dates", "name: match_hosts"), "agreement `match_hosts` stands there twice"),
    ("agreement.yaml", ("    query: people_are_listed\n", ""), "people_who_play_are_listed.sql is missing"),
    ("agreement/match_dates.sql", ("from paired", "from paired where match_date = :today"), "`:today` is no bind"),
    ("agreement/match_dates.sql", ("from paired", "from paired;"), "holds no query, or more than one"),
]


@pytest.mark.parametrize(("file", "change", "told"), first(3, BROKEN_PARAMS))
def test_broken_params_are_refused(tmp_path, file, change, told):
    """What is wrong is said with file and name before anything is compared."""
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")
    path = tmp_path / "params" / file
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")

    with pytest.raises(UsageError, match="nothing was") as refused:
        agreement.read_agreements(tmp_path / "params")

    assert told in str(refused.value)


def test_query_of_no_agreement_is_refused(tmp_path):
    """A query that nobody asks is a mistake in a name."""
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")
    (tmp_path / "params/agreement/match_date.sql").write_text("select 1", encoding="utf-8")

    with pytest.raises(UsageError, match=r"match_date\.sql is of no agreement"):
        agreement.read_agreements(tmp_path / "params")


def test_bounds_of_a_league_are_its_own():
    """A league's bound replaces that of the same severity; the worst severity is asked first."""
    found = agreement.Agreement(
        name="one", title="One", files=("players",), owner="data", why="Why.", mend="How.",
        bounds={"warn": 0.1, "error": 0.5}, leagues={"NSTF": {"warn": 0.2}},
    )  # fmt: skip

    assert {"error": 0.5, "warn": 0.1} == found.bounds_of(APTA)
    assert {"error": 0.5, "warn": 0.2} == found.bounds_of("NSTF")


REAL = {
    "teams_of_rosters_and_standings": ("passed", 524, 534),
    "teams_of_rosters_and_schedule": ("passed", 524, 525),
    "teams_that_play_have_standings": ("passed", 508, 508),
    "people_who_play_are_listed": ("passed", 3854, 3856),
    "names_on_cards": ("passed", 3858, 3862),
    "players_on_their_side": ("passed", 4572, 4572),
    "player_records": ("passed", 3848, 4081),
    "player_wins": ("passed", 3848, 3848),
    "match_dates": ("warned", 149, 314),
    "match_hosts": ("passed", 313, 314),
}


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real scrapes are not beside the project")
def test_figures_of_a_real_scrape(engine, settings):
    """APTA of 2025-10-01: the figures of docs/cross-source.md."""
    importing = Import(engine, settings)
    run_id = importing.plan(DATA / "scrapes" / "2025-10-01")

    found = {each.name: each for each in agreement.compare_sources(engine, settings, run_id)}

    assert REAL == {name: (found[name].outcome, found[name].agreeing, found[name].compared) for name in REAL}


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real scrapes are not beside the project")
def test_exchanged_sides_of_a_real_file_are_seen(engine, settings):
    """The match file of 17 August 2025 tells results of June the other way round; its lines are known from there."""
    importing = Import(engine, settings)
    importing.load(DATA / "scrapes" / "2025-06-21", "NSTF")
    run_id = importing.plan(DATA / "broken" / "2025-08-17_mixed_sides")

    found = {each.name: each for each in agreement.compare_sources(engine, settings, run_id)}

    assert ("held", 115, 159) == (
        found["known_results"].outcome, found["known_results"].agreeing, found["known_results"].compared,
    )  # fmt: skip
