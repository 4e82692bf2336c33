"""`make bench-identity`: how well teams are recognised, beside rapidfuzz alone and equal names alone, and how fast.

Leagues of 200 teams are generated, scraped again under renames, respellings, ordinal confusions, swaps, lost suffixes
and moves, and matched; the truth is known. It fails when the product gives one id to another team.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from rapidfuzz import fuzz, process, utils

from rally_etl import naming
from rally_etl.identity.matching import Incoming, Known, match_teams
from rally_etl.identity.thresholds import Thresholds, load_thresholds
from rally_etl.sample.identity_league import Seen, Team, league, next_scrape
from rally_etl.settings import Settings

KEY = "APTA_CHICAGO"
SEEDS = 20
TEAMS = 200
CUTOFFS = range(70, 101)
SCORERS = {"ratio": fuzz.ratio, "WRatio": fuzz.WRatio}
LIVE, SCRAPED = 50_000, 5_000
OUTCOMES = ("known", "kept", "asked", "missed", "wrong", "new", "in vain")
GOES_ON, NEW_SEASON = "season goes on", "new season"

Answer = tuple[int | None, tuple[int, ...]]
"""Id that was given, None for a new team or one that waits, and the ids that are asked about."""
Tally = Counter[str]


@dataclass(frozen=True, slots=True)
class Case:
    """One league, its next scrape and the kind of season."""

    season: str
    before: list[Team]
    after: list[Seen]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads names as an import does."""

    league: naming.League
    clubs: naming.Clubs

    def key(self, name: str) -> tuple[str, str, str] | None:
        team = self.league.parse_team(name)
        return team and (self.clubs.key(team.club), team.series, team.ordinal)


def main() -> None:
    """Print who was recognised by which method, then the times; exit with 1 on a wrong merge of the product."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.identity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="leagues per kind of season")
    parser.add_argument("--first", type=int, default=0, help="seed of the first league")
    parser.add_argument("--teams", type=int, default=TEAMS, help="teams per league")
    parser.add_argument("--no-times", action="store_true", help="leave out the 50,000 names")
    options = parser.parse_args()
    params = Settings.from_env().params_dir
    thresholds = load_thresholds(params)
    reader = Reader(naming.load_leagues(params).get(KEY), naming.load_clubs(params))
    cases = make_cases(options.seeds, options.teams, options.first)
    wrong = print_methods(cases, reader, thresholds)
    if not options.no_times:
        print_times(thresholds)
    if wrong:
        sys.exit(f"error: {wrong} teams were given the id of another one")


def make_cases(seeds: int, teams: int, first: int = 0) -> list[Case]:
    """Each league once while its season goes on, and once in a new season."""
    return [
        Case(season, before := league(seed, teams), next_scrape(before, seed, is_new_season=season == NEW_SEASON))
        for season, seed in product((GOES_ON, NEW_SEASON), range(first, first + seeds))
    ]


def print_methods(cases: list[Case], reader: Reader, thresholds: Thresholds) -> int:
    """Print the table of methods and the product's own by what happened to the names; answer its wrong merges."""
    methods: dict[str, Callable[[Case], list[Answer]]] = {
        "rally-etl": lambda case: by_product(case, reader, thresholds),
        "rapidfuzz WRatio, 90": lambda case: by_likeness(case, "WRatio", 90),
        _best_name(best := best_likeness(cases)): lambda case: by_likeness(case, *best),
        "equal names": by_equal_names,
    }
    answers = {name: [(case, method(case)) for case in cases] for name, method in methods.items()}
    for season in (GOES_ON, NEW_SEASON):
        _head(f"{season}: {sum(case.season == season for case in cases)} leagues")
        for name, of_cases in answers.items():
            _row(name, _sum(tally(case, given) for case, given in of_cases if case.season == season))
    by_event: defaultdict[tuple[str, str], Tally] = defaultdict(Counter)
    for case, given in answers["rally-etl"]:
        for seen, answer in zip(case.after, given, strict=True):
            by_event[case.season, seen.event].update(outcomes(seen, answer))
    for season in (GOES_ON, NEW_SEASON):
        _head(f"rally-etl, {season}, by what happened")
        for (of_season, event), counts in sorted(by_event.items()):
            if of_season == season:
                _row(event, counts)
    return sum(tally(case, given)["wrong"] for case, given in answers["rally-etl"])


def by_product(case: Case, reader: Reader, thresholds: Thresholds) -> list[Answer]:
    """Grammar, clubs, then `match_teams`."""
    known = [Known(team.id, reader.key(team.name), team.name, True, team.people) for team in case.before]
    keys = [reader.key(seen.name) for seen in case.after]
    incoming = [
        Incoming(key, seen.name, seen.people) for key, seen in zip(keys, case.after, strict=True) if key is not None
    ]
    found = match_teams(incoming, known, thresholds)
    return [
        (found[key].id, tuple(candidate.id for candidate in found[key].candidates)) if key is not None else (None, ())
        for key in keys
    ]


def by_equal_names(case: Case) -> list[Answer]:
    """The same text."""
    ids = {team.name: team.id for team in case.before}
    return [(ids.get(seen.name), ()) for seen in case.after]


def by_likeness(case: Case, scorer: str, cutoff: int) -> list[Answer]:
    """The likest name above *cutoff*, by rapidfuzz alone."""
    return [(team_id if score >= cutoff else None, ()) for team_id, score in _likest(case, scorer)]


def best_likeness(cases: list[Case]) -> tuple[str, int]:
    """Scorer and cutoff with the most teams kept less those merged wrongly, chosen with the truth at hand."""
    gains: Counter[tuple[str, int]] = Counter()
    for case, scorer in product(cases, SCORERS):
        for seen, (team_id, score) in zip(case.after, _likest(case, scorer), strict=True):
            for cutoff in CUTOFFS:
                if score >= cutoff:
                    gains[scorer, cutoff] += 1 if team_id == seen.truth else -1
    return max(gains, key=lambda each: (gains[each], each))


def outcomes(seen: Seen, answer: Answer) -> list[str]:
    """What an answer is worth; teams that are known count twice, as known and as what became of them.

    kept, wrong, asked (the truth is among the candidates), missed; for teams that are new: new, in vain (asked), wrong.
    """
    given, candidates = answer
    if seen.truth is None:
        return ["wrong" if given is not None else "in vain" if candidates else "new"]
    if given is not None:
        return ["known", "kept" if given == seen.truth else "wrong"]
    return ["known", "asked" if seen.truth in candidates else "missed"]


def tally(case: Case, given: list[Answer]) -> Tally:
    """Outcomes of one case."""
    return Counter(word for seen, answer in zip(case.after, given, strict=True) for word in outcomes(seen, answer))


def print_times(thresholds: Thresholds) -> None:
    """Seconds to match 5,000 incoming teams against 50,000 live ones of one league, none of them by an equal name."""
    print(f"\n{SCRAPED:,} incoming against {LIVE:,} live names, one league, no name equal")
    for label, series, people in (
        ("54 series, no rosters", 54, 0),
        ("one series, no rosters", 1, 0),
        ("54 series, rosters of 12", 54, 12),
        ("one series, rosters of 12", 1, 12),
    ):
        incoming, known = make_large(series, people)
        started, worked = time.perf_counter(), time.process_time()
        found = match_teams(incoming, known, thresholds)
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
        counts = Counter(match.strategy for match in found.values())
        told = ", ".join(f"{count:,} {strategy}" for strategy, count in sorted(counts.items()))
        print(f"  {label:28} {seconds:6.2f} s ({processor:.2f} s of processor)   {told}")


def make_large(series: int, people: int) -> tuple[list[Incoming], list[Known]]:
    """Live teams with made-up clubs; every incoming one is misspelled, and two of its players are new."""
    dice = random.Random(7)
    clubs = [f"{_word(dice)} {_word(dice)}" for _ in range(LIVE)]
    rosters = [frozenset(f"{place}-{n}" for n in range(people)) for place in range(LIVE)]
    known = [
        Known(place, (club, f"Series {place % series}", ""), club, True, rosters[place])
        for place, club in enumerate(clubs)
    ]
    incoming = []
    for place in dice.sample(range(LIVE), SCRAPED):
        club = f"{clubs[place][:3]}q{clubs[place][4:]}"
        others = frozenset(f"new {place}-{n}" for n in range(2 if people else 0))
        stayed = frozenset(sorted(rosters[place])[2:])
        incoming.append(Incoming((club, f"Series {place % series}", ""), club, stayed | others))
    return incoming, known


def _word(dice: random.Random) -> str:
    return "".join(dice.choice(letters) for letters in ("bcdfghklmnprstvw", "aeiou") * dice.randint(2, 4))


def _likest(case: Case, scorer: str) -> Iterable[tuple[int | None, float]]:
    names = {team.id: utils.default_process(team.name) for team in case.before}
    for seen in case.after:
        found = process.extractOne(utils.default_process(seen.name), names, scorer=SCORERS[scorer])
        yield (found[2], found[1]) if found else (None, 0)


def _best_name(best: tuple[str, int]) -> str:
    return f"rapidfuzz {best[0]}, {best[1]} (best)"


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Counter())


def _head(title: str) -> None:
    print(f"\n{title:44}" + "".join(f"{name:>9}" for name in (*OUTCOMES, "recall")))


def _row(label: str, counts: Tally) -> None:
    recall = f"{counts['kept'] / counts['known']:9.1%}" if counts["known"] else f"{'–':>9}"
    print(f"  {label:42}" + "".join(f"{counts[name]:9,}" for name in OUTCOMES) + recall)


if __name__ == "__main__":
    main()
