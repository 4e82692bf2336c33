"""Which live team a team of a scrape is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rally_etl.identity.matching import Incoming, Known, match_teams
from rally_etl.identity.thresholds import load_thresholds

THRESHOLDS = load_thresholds(Path(__file__).resolve().parents[2] / "params")
QUICK = hypothesis_settings(max_examples=60, deadline=None)
SERIES = "Series 12"


def people(first: int, count: int = 10) -> frozenset[str]:
    """So many persons from a number on."""
    return frozenset(f"p{number}" for number in range(first, first + count))


def known(
    team_id: int, club: str, roster: frozenset[str], series: str = SERIES, ordinal: str = "", active: bool = True
):
    """A live team."""
    return Known(team_id, (club, series, ordinal), f"{club} {ordinal} {series}", active, roster)


def seen(club: str, roster: frozenset[str], series: str = SERIES, ordinal: str = ""):
    """A team of the scrape."""
    return Incoming((club, series, ordinal), f"{club} {ordinal} {series}", roster)


def only(incoming: Incoming, live: list[Known], **decided):
    """The answer for one incoming team."""
    return match_teams([incoming], live, THRESHOLDS, **decided)[incoming.key]


def others(stayed: int, changed: int) -> tuple[list[Incoming], list[Known]]:
    """Teams of other clubs, of which some keep their players and some do not."""
    rosters = [people(1000 + 20 * n) for n in range(stayed + changed)]
    live = [known(900 + n, f"other{n}x", roster, "Series 1") for n, roster in enumerate(rosters)]
    after = rosters[:stayed] + [people(5000 + 20 * n) for n in range(changed)]
    return [seen(f"other{n}x", roster, "Series 1") for n, roster in enumerate(after)], live


def ids(match) -> list[int]:
    """Ids of the candidates, the likeliest first."""
    return [candidate.id for candidate in match.candidates]


def test_equal_key_is_the_team():
    """The key of a live team gives its id, whoever plays in it."""
    found = only(seen("tennaqua", people(50)), [known(7, "tennaqua", people(1)), known(8, "skokie", people(20))])

    assert (7, "exact", 1.0, "") == (found.id, found.strategy, found.confidence, found.kind)


def test_of_several_rows_of_one_key_the_active_and_oldest_is_meant():
    """An inactive row comes after active ones, and of these the lowest id is first."""
    live = [
        known(3, "tennaqua", frozenset(), active=False),
        known(9, "tennaqua", people(1)),
        known(5, "tennaqua", people(1)),
    ]

    assert 5 == only(seen("tennaqua", people(1)), live).id


def test_team_that_was_off_comes_back_by_its_name_only():
    """An inactive team is found by its key, not by its players."""
    live = [known(3, "tennaqua", people(1), active=False)]

    assert 3 == only(seen("tennaqua", people(1)), live).id
    assert ("new", ()) == ((found := only(seen("lakeside", people(1)), live)).strategy, found.candidates)


def test_alias_gives_a_second_name_to_a_team():
    """A recorded alias is taken although the team stands under its own name too; an unknown target is passed over."""
    live = [known(7, "tennaqua", people(1))]
    incoming = [seen("tennaqua", people(1)), seen("tenn", people(30))]

    found = match_teams(incoming, live, THRESHOLDS, aliases={incoming[1].key: 7})

    assert [(7, "exact"), (7, "alias")] == [(found[team.key].id, found[team.key].strategy) for team in incoming]
    assert "new" == only(incoming[1], live, aliases={incoming[1].key: 99}).strategy


def test_alias_goes_before_the_name_of_a_team_that_is_off():
    """A merged team keeps its row, switched off; its name means the team that it was merged into."""
    live = [known(7, "tennaqua", people(1)), known(8, "tenaqua", frozenset(), active=False)]

    assert (7, "alias") == (
        (found := only(seen("tenaqua", people(1)), live, aliases={live[1].key: 7})).id,
        found.strategy,
    )


def test_swapped_names_wait():
    """As the season goes on, two teams under each other's name are asked about, each with both of them."""
    live = [known(1, "tennaqua", people(0)), known(2, "skokie", people(20))]
    incoming = [seen("tennaqua", people(20)), seen("skokie", people(0))]

    found = match_teams(incoming, live, THRESHOLDS)

    assert [("waits", "contradiction")] * 2 == [(found[team.key].strategy, found[team.key].kind) for team in incoming]
    assert [[2, 1], [1, 2]] == [ids(found[team.key]) for team in incoming]


def test_swapped_names_wait_when_half_of_the_players_have_changed():
    """Turnover does not hide a swap."""
    live = [known(1, "tennaqua", people(0)), known(2, "skokie", people(20))]

    found = match_teams([seen("tennaqua", people(25)), seen("skokie", people(5))], live, THRESHOLDS)

    assert {"waits"} == {match.strategy for match in found.values()}


def test_other_half_of_a_swap_waits_without_a_roster():
    """A team without players whose name another seems to have taken is not taken by its name either."""
    live = [known(1, "tennaqua", people(0)), known(2, "skokie", people(20))]

    found = match_teams([seen("tennaqua", people(20)), seen("skokie", frozenset())], live, THRESHOLDS)

    assert {("waits", "contradiction")} == {(match.strategy, match.kind) for match in found.values()}


def test_swap_that_was_decided_is_an_alias():
    """An accepted answer holds although name and players still disagree."""
    live = [known(1, "tennaqua", people(0)), known(2, "skokie", people(20))]
    incoming = [seen("tennaqua", people(20)), seen("skokie", people(0))]

    found = match_teams(incoming, live, THRESHOLDS, aliases={incoming[0].key: 2, incoming[1].key: 1})

    assert [(2, "alias"), (1, "alias")] == [(found[team.key].id, found[team.key].strategy) for team in incoming]


def test_name_that_another_took_over_waits():
    """The players of a team stand under a new name and strangers under its old one: both are asked about."""
    incoming = [seen("tennaqua", people(60)), seen("lakeside", people(0))]

    found = match_teams(incoming, [known(1, "tennaqua", people(0))], THRESHOLDS)

    assert ["contradiction", "ambiguous"] == [found[team.key].kind for team in incoming]
    assert [[1], [1]] == [ids(found[team.key]) for team in incoming]


def test_in_a_new_season_names_decide():
    """Where most teams have other players, a name keeps its id although its players are another team's."""
    incoming, live = others(2, 6)
    live += [known(1, "tennaqua", people(0)), known(2, "skokie", people(20))]
    incoming += [seen("tennaqua", people(20)), seen("skokie", people(0))]

    found = match_teams(incoming, live, THRESHOLDS)

    assert {"exact"} == {match.strategy for match in found.values()}
    assert [1, 2] == [found[team.key].id for team in incoming[-2:]]


@pytest.mark.parametrize("is_new_season", [False, True])
def test_renamed_team_is_found_by_its_players(is_new_season):
    """One team vanishes, one with its players appears in the same series: it is that team, with the overlap."""
    incoming, live = others(2, 6) if is_new_season else others(8, 0)
    team = seen("lakeside", people(0, 9) | people(70, 2))

    found = match_teams([*incoming, team], [*live, known(1, "tennaqua", people(0))], THRESHOLDS)[team.key]

    assert (1, "roster", 0.818, "9 of 11 players are the same") == (
        found.id,
        found.strategy,
        found.confidence,
        found.evidence,
    )


def test_few_shared_persons_are_a_proposal():
    """Three of three is most of a roster, but too few to decide."""
    found = only(seen("lakeside", people(0, 3)), [known(1, "tennaqua", people(0, 3))])

    assert ("new", "renamed", [1]) == (found.strategy, found.kind, ids(found))


def test_half_of_a_roster_is_a_proposal():
    """Below the threshold a new team is made, with the question whether it was renamed."""
    found = only(seen("lakeside", people(5)), [known(1, "tennaqua", people(0))])

    assert ("new", "renamed", [1], 0.5) == (found.strategy, found.kind, ids(found), found.candidates[0].confidence)


def test_half_of_a_roster_is_enough_under_a_misspelled_name():
    """Name and players together say what neither says alone."""
    found = only(seen("tenaqua", people(5)), [known(1, "tennaqua", people(0))])

    assert (1, "roster") == (found.id, found.strategy)


def test_players_of_one_team_under_the_misspelled_name_of_another_wait():
    """A name like that of a team that has vanished too, over another's players, is asked about."""
    found = only(seen("tenaqua", people(20)), [known(1, "tennaqua", people(0)), known(2, "skokie", people(20))])

    assert ("waits", "ambiguous", [1, 2]) == (found.strategy, found.kind, sorted(ids(found)))


def test_two_teams_with_the_same_players_are_ambiguous():
    """I and II of one club with one roster: whichever is meant, it is asked."""
    live = [known(1, "tennaqua", people(0), ordinal="I"), known(2, "tennaqua", people(0), ordinal="II")]

    found = only(seen("lakeside", people(0)), live)

    assert ("waits", "ambiguous", [1, 2]) == (found.strategy, found.kind, ids(found))


def test_two_that_appear_with_one_roster_are_ambiguous():
    """Nobody can say which of two new names the vanished team has."""
    incoming = [seen("lakeside", people(0)), seen("hillside", people(0))]

    found = match_teams(incoming, [known(1, "tennaqua", people(0))], THRESHOLDS)

    assert {("waits", "ambiguous")} == {(match.strategy, match.kind) for match in found.values()}


def test_guests_of_the_other_team_do_not_confuse():
    """I and II share three players; each is found under its new name."""
    first, second = people(0), people(7)
    live = [known(1, "tennaqua", first, ordinal="I"), known(2, "tennaqua", second, ordinal="II")]
    incoming = [seen("lakeside", first, ordinal="I"), seen("lakeside", second, ordinal="II")]

    found = match_teams(incoming, live, THRESHOLDS)

    assert [1, 2] == [found[team.key].id for team in incoming]


def test_ordinals_that_changed_place_under_a_new_club_wait():
    """The club is new, I has the players of II: the ordinal speaks for the other team."""
    live = [known(1, "tennaqua", people(0), ordinal="I"), known(2, "tennaqua", people(20), ordinal="II")]
    incoming = [seen("lakeside", people(20), ordinal="I"), seen("lakeside", people(0), ordinal="II")]

    found = match_teams(incoming, live, THRESHOLDS)

    assert {("waits", "ambiguous")} == {(match.strategy, match.kind) for match in found.values()}


def test_move_waits_while_the_season_goes_on():
    """A team in another series with all its players is never taken; its rows wait."""
    found = only(seen("tennaqua", people(0), "Series 10"), [known(1, "tennaqua", people(0))])

    assert ("waits", "moved", [1], 0.0) == (found.strategy, found.kind, ids(found), found.confidence)


def test_move_is_a_proposal_in_a_new_season():
    """A new season makes a new team for now, with the overlap to look at."""
    incoming, live = others(2, 6)
    team = seen("tennaqua", people(0), "Series 10")

    found = match_teams([*incoming, team], [*live, known(1, "tennaqua", people(0))], THRESHOLDS)[team.key]

    assert ("new", "moved", [1]) == (found.strategy, found.kind, ids(found))
    assert "10 of 10 players are the same" == found.candidates[0].evidence


def test_unreadable_live_team_is_never_taken():
    """A live team whose name no grammar reads has no series: its players only make a question."""
    found = only(seen("tennaqua", people(0)), [Known(1, None, "Legends", True, people(0))])

    assert (None, [1]) == (found.id, ids(found))


def test_misspelled_name_without_a_roster_waits():
    """A name that is alike is asked about, never taken."""
    found = only(seen("prarie club", frozenset()), [known(1, "prairie club", people(0))])

    assert ("waits", "similar", [1]) == (found.strategy, found.kind, ids(found))


@pytest.mark.parametrize("club", ["wilmette pd", "wilmette gc"])
def test_other_marks_are_another_club(club):
    """PD and GC are different clubs, however alike their names."""
    assert ("new", "") == (
        (found := only(seen(club, frozenset()), [known(1, "wilmette", people(0))])).strategy,
        found.kind,
    )


def test_misspelled_name_with_other_players_is_new():
    """As the season goes on rosters with nobody in common say that it is another team; nothing is asked."""
    found = only(seen("prarie club", people(40)), [known(1, "prairie club", people(0))])

    assert ("new", "", ()) == (found.strategy, found.kind, found.candidates)


@pytest.mark.parametrize(
    "team", [seen("tennaqua", frozenset(), ordinal="II"), seen("tennaqua", frozenset(), "Series 12 SW")]
)
def test_ordinal_or_suffix_without_a_roster_waits(team):
    """The same club with another ordinal, or with a suffix more or less, is asked about where no roster tells."""
    found = only(team, [known(1, "tennaqua", people(0))])

    assert ("waits", "similar", [1]) == (found.strategy, found.kind, ids(found))


def test_renamed_club_is_learned_from_its_other_teams():
    """Two teams of a club stand under another club's name; of a third, half of the players are then enough."""
    live = [known(n, "tennaqua", people(20 * n), f"Series {n}") for n in (1, 2, 3)]
    incoming = [seen("lakeside", people(20 * n + (5 if n == 3 else 0)), f"Series {n}") for n in (1, 2, 3)]

    found = match_teams(incoming, live, THRESHOLDS)

    assert [1, 2, 3] == [found[team.key].id for team in incoming]
    assert None is only(incoming[2], live[2:]).id


def test_rejected_pair_is_not_asked_again():
    """Whoever said that two are not one is believed, also about a name."""
    live = [known(1, "tennaqua", people(0))]

    for team in (seen("lakeside", people(0)), seen("tennaqua", people(0)), seen("tenaqua", frozenset())):
        found = only(team, live, rejected=[(team.key, 1)])
        assert ("new", ()) == (found.strategy, found.candidates)


clubs = st.sampled_from(["tennaqua", "tenaqua", "skokie", "skokie pd", "lakeside", "lake side", "wilmette"])
series = st.sampled_from(["Series 1", "Series 1 SW", "Series 2"])
ordinals = st.sampled_from(["", "I", "II"])
rosters = st.builds(
    lambda start, count, more: people(start, count) | more,
    st.sampled_from([0, 3, 10, 20, 30]),
    st.sampled_from([0, 4, 8, 10]),
    st.frozensets(st.sampled_from(sorted(people(0, 40))), max_size=3),
)
keys = st.tuples(clubs, series, ordinals)


@st.composite
def leagues(draw: st.DrawFn):
    """Live teams, a scrape, aliases and rejected pairs, in any combination."""
    live = [
        Known(number, draw(st.none() | keys), f"team {number}", draw(st.booleans() | st.just(True)), draw(rosters))
        for number in range(draw(st.integers(0, 8)))
    ]
    incoming = [Incoming(key, " ".join(key), draw(rosters)) for key in draw(st.lists(keys, unique=True, max_size=8))]
    some = st.sampled_from([team.key for team in incoming]) if incoming else keys
    aliases = draw(st.dictionaries(some, st.integers(0, 9), max_size=2))
    rejected = draw(st.lists(st.tuples(some, st.integers(0, 8)), max_size=3))
    return incoming, live, aliases, rejected


@QUICK
@given(leagues())
def test_promises_hold(league):
    """Whatever meets: each key has one answer; ids are known, not rejected, and not given twice but by an alias."""
    incoming, live, aliases, rejected = league

    found = match_teams(incoming, live, THRESHOLDS, aliases=aliases, rejected=rejected)

    assert {team.key for team in incoming} == found.keys()
    taken = {key: match.id for key, match in found.items() if match.id is not None}
    assert set(taken.values()) <= {team.id for team in live}
    assert not set(taken.items()) & set(rejected)
    assert not {(key, one.id) for key, match in found.items() for one in match.candidates} & set(rejected)
    own = [match.id for match in found.values() if match.strategy in ("exact", "roster")]
    assert len(own) == len(set(own))
    assert all(0 <= match.confidence <= 1 for match in found.values())
    assert all((match.id is None) == (match.strategy in ("new", "waits")) for match in found.values())
    assert all(bool(match.candidates) == bool(match.kind) for match in found.values())
    by_roster = {match.id for match in found.values() if match.strategy == "roster"}
    assert all(team.is_active and team.key for team in live if team.id in by_roster)


@QUICK
@given(leagues(), st.randoms(use_true_random=False))
def test_order_does_not_matter(league, dice):
    """The same teams in another order get the same answers."""
    incoming, live, aliases, rejected = league
    mixed = [dice.sample(part, len(part)) for part in (incoming, live, rejected)]

    assert match_teams(incoming, live, THRESHOLDS, aliases=aliases, rejected=rejected) == match_teams(
        mixed[0], mixed[1], THRESHOLDS, aliases=aliases, rejected=mixed[2]
    )


@QUICK
@given(leagues())
def test_unrelated_team_changes_nothing(league):
    """A team that shares no name, club or player with any other leaves all other answers as they are."""
    incoming, live, aliases, rejected = league
    stranger = Incoming(("far away", "Series 77", ""), "Far Away 77", people(5000))

    before = match_teams(incoming, live, THRESHOLDS, aliases=aliases, rejected=rejected)
    after = match_teams([*incoming, stranger], live, THRESHOLDS, aliases=aliases, rejected=rejected)

    assert "new" == after.pop(stranger.key).strategy
    assert before == after


@QUICK
@given(st.lists(keys, unique=True, max_size=12), st.integers(4, 12), st.permutations(range(12)))
def test_all_names_change_and_all_ids_stay(live_keys, size, order):
    """Every team under another name, in its series and with its players: every id is kept."""
    live = [Known(n, key, " ".join(key), True, people(100 * n, size)) for n, key in enumerate(live_keys)]
    fresh = ["quorn", "zebulon", "mythic", "brixham", "japonica", "dovetail", "halcyon", "foxglove", "vernal", "umber",
             "paragon", "citadel"]  # fmt: skip
    incoming = [
        Incoming((fresh[order[n]], team.key[1], ""), fresh[order[n]], team.people) for n, team in enumerate(live)
    ]

    found = match_teams(incoming, live, THRESHOLDS)

    assert [team.id for team in live] == [found[team.key].id for team in incoming]
