"""The gate fails closed: GO needs every measure of every stage, right and finite."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rally_etl.errors import EvidenceMissing, UsageError
from rally_etl.gate import GO, HOLD, NO_GO, STAGES, Rule, decide, judge, overall, read_rules
from rally_etl.settings import Settings

RULES = read_rules(Path(__file__).resolve().parents[1] / "params" / "gate.yaml")
RUN_ID = "20251001T060000-ab12"
LEAGUES = ["APTA_CHICAGO", "NSTF"]
COMPLETED = dict.fromkeys(STAGES, "completed")
GOOD = {"checks_run": 40, "checks_expected": 40, "health_of_rows": 97.5, "standings_printed_share": 1}


def good_evidence() -> dict:
    """Evidence with which every rule holds."""
    documents = {
        stage: {"stage": stage, "run_id": RUN_ID, "leagues": {key: {} for key in ["*", *LEAGUES]}} for stage in STAGES
    }
    for rule in RULES:
        for league in ["*"] if rule.scope == "run" else LEAGUES:
            measures = documents[rule.stage]["leagues"][league]
            measures[rule.measure] = {"value": GOOD.get(rule.measure, 0), "detail": []}
            if rule.threshold_measure:
                measures[rule.threshold_measure] = {"value": GOOD[rule.threshold_measure], "detail": []}
    return documents


PLACES = [
    (stage, league, name)
    for stage, document in good_evidence().items()
    for league, measures in document["leagues"].items()
    for name in measures
]


def judged(
    evidence: dict, statuses: dict | None = None, rules: list[Rule] | None = None, leagues: list[str] | None = None
) -> dict:
    """Decisions and reasons for the two leagues of this module."""
    return judge(
        RULES if rules is None else rules,
        evidence,
        LEAGUES if leagues is None else leagues,
        run_id=RUN_ID,
        statuses=COMPLETED if statuses is None else statuses,
    )


def decisions(found: dict) -> set[str]:
    """The decisions that stand in an answer."""
    return {each["decision"] for each in found.values()}


def test_whole_evidence_is_go():
    """With every measure within its threshold all leagues are GO, without a reason."""
    assert {league: {"decision": GO, "reasons": []} for league in LEAGUES} == judged(good_evidence())


@given(st.sampled_from(PLACES))
def test_removing_any_measure_is_no_go(place):
    """A measure that is missing stops its league, or all leagues when it is the run's."""
    stage, league, name = place
    evidence = good_evidence()
    del evidence[stage]["leagues"][league][name]
    found = judged(evidence)

    assert {NO_GO} == decisions(found if league == "*" else {league: found[league]})


@given(
    st.sampled_from(PLACES),
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.sampled_from([math.nan, math.inf, -math.inf]),
        st.lists(st.integers(), max_size=2),
    ),
)
def test_replacing_any_value_is_no_go(place, value):
    """A value that is no finite number stops its league, whatever the rule says of it."""
    stage, league, name = place
    evidence = good_evidence()
    evidence[stage]["leagues"][league][name] = {"value": value, "detail": []}
    found = judged(evidence)

    assert {NO_GO} == decisions(found if league == "*" else {league: found[league]})


@given(
    st.sampled_from(PLACES),
    st.one_of(st.none(), st.text(), st.integers(), st.just({}), st.just({"value": 0, "detail": "x"})),
)
def test_replacing_any_measure_is_no_go(place, measure):
    """A measure that is no value with a list of texts stops its league."""
    stage, league, name = place
    evidence = good_evidence()
    evidence[stage]["leagues"][league][name] = measure
    found = judged(evidence)

    assert {NO_GO} == decisions(found if league == "*" else {league: found[league]})


@given(
    st.sampled_from(STAGES),
    st.one_of(st.none(), st.text(), st.integers(), st.just({}), st.just([]), st.builds(EvidenceMissing, st.text())),
)
def test_replacing_any_document_is_no_go(stage, document):
    """A stage without a document stops every league and is named."""
    found = judged(good_evidence() | {stage: document})

    assert {NO_GO} == decisions(found)
    assert stage in {reason["stage"] for reason in found["NSTF"]["reasons"]}


@given(st.sampled_from(STAGES))
def test_absent_document_is_no_go(stage):
    """A stage that is not among the evidence at all stops every league."""
    evidence = good_evidence()
    del evidence[stage]

    assert {NO_GO} == decisions(judged(evidence))


@given(st.sampled_from(STAGES), st.sampled_from(["stage", "run_id"]), st.one_of(st.none(), st.text(max_size=5)))
def test_foreign_document_is_no_go(stage, key, value):
    """A document of another stage or run stops every league."""
    evidence = good_evidence()
    evidence[stage][key] = value

    assert {NO_GO} == decisions(judged(evidence))


@given(st.sampled_from(STAGES), st.sampled_from(LEAGUES))
def test_absent_league_is_no_go(stage, league):
    """A stage that says nothing about a league of the run stops that league, and no other."""
    evidence = good_evidence()
    del evidence[stage]["leagues"][league]
    found = judged(evidence)

    assert {NO_GO: {league}, GO: set(LEAGUES) - {league}} == {
        word: {each for each in LEAGUES if found[each]["decision"] == word} for word in (NO_GO, GO)
    }


@given(st.sampled_from(STAGES))
def test_unknown_league_is_no_go(stage):
    """A stage that tells of a league which the run does not have is of another run."""
    evidence = good_evidence()
    evidence[stage]["leagues"]["CITA"] = copy.deepcopy(evidence[stage]["leagues"]["NSTF"])

    assert {NO_GO} == decisions(judged(evidence))


@given(
    st.sampled_from(STAGES),
    st.sampled_from(["pending", "running", "failed", "timed_out", "died", "skipped", "odd", None]),
)
def test_stage_that_did_not_complete_is_no_go(stage, status):
    """Whatever its notebook says, a stage counts only when the runner saw it complete."""
    found = judged(good_evidence(), COMPLETED | {stage: status})

    assert {NO_GO} == decisions(found)
    assert ("stage_completed", stage) == tuple(found["NSTF"]["reasons"][0][key] for key in ("rule", "stage"))


def test_no_rules_is_no_go():
    """Without rules nothing was judged."""
    assert {NO_GO} == decisions(judged(good_evidence(), rules=[]))


def test_no_leagues_is_no_go():
    """A run without leagues is NO-GO as a whole."""
    assert ["*"] == list(judged(good_evidence(), leagues=[]))
    assert {NO_GO} == decisions(judged(good_evidence(), leagues=[]))


@pytest.mark.parametrize(
    ("stage", "measure", "value", "decision"),
    [
        ("import", "files_faulty", 1, NO_GO),
        ("import", "volume_drop_share", 0.2, GO),
        ("import", "volume_drop_share", 0.21, NO_GO),
        ("import", "teams_gone_share", 0.06, HOLD),
        ("import", "dates_kept", 511, GO),
        ("validation", "checks_run", 39, NO_GO),
        ("validation", "checks_run", 41, NO_GO),
        ("validation", "checks_warned", 4, GO),
        ("integration", "references_moved", 1, NO_GO),
        ("monitoring", "health_of_rows", 74.9, HOLD),
    ],
)
def test_rule_decides_its_league_only(stage, measure, value, decision):
    """A measure beyond its threshold decides for its league by the rule's severity; the other league is not touched."""
    evidence = good_evidence()
    evidence[stage]["leagues"]["NSTF"][measure] = {"value": value, "detail": ["Lakeside 1"]}
    found = judged(evidence)

    assert (decision, GO) == (found["NSTF"]["decision"], found["APTA_CHICAGO"]["decision"])


def test_reason_tells_what_how_much_and_which():
    """A reason names the league, the figure, the names behind it and what to do."""
    evidence = good_evidence()
    evidence["import"]["leagues"]["NSTF"]["teams_gone_share"] = {"value": 0.25, "detail": ["Lakeside 1", "Hillcrest 2"]}
    [reason] = judged(evidence)["NSTF"]["reasons"]

    assert ("few_teams_go", "import", "hold", 0.25, 0.05) == tuple(
        reason[key] for key in ("rule", "stage", "severity", "observed", "threshold")
    )
    for part in ("NSTF", "25%", "Lakeside 1; Hillcrest 2", "approve the run"):
        assert part in reason["message"]


def test_threshold_can_differ_by_league():
    """A league's own threshold replaces the rule's, for this league alone."""
    [volume] = [rule for rule in RULES if rule.measure == "volume_drop_share"]
    rule = replace(volume, leagues={"NSTF": 0.5})
    evidence = good_evidence()
    for league in LEAGUES:
        evidence["import"]["leagues"][league]["volume_drop_share"] = {"value": 0.4, "detail": []}
    found = judged(evidence, rules=[rule])

    assert (GO, NO_GO) == (found["NSTF"]["decision"], found["APTA_CHICAGO"]["decision"])


def test_text_of_a_scrape_cannot_break_a_message():
    """Braces in a detail are text: they are not read as fields of the message."""
    evidence = good_evidence()
    evidence["import"]["leagues"]["NSTF"]["files_faulty"] = {"value": 1, "detail": ["{league.__class__} {0}"]}

    assert "{league.__class__} {0}" in judged(evidence)["NSTF"]["reasons"][0]["message"]


@pytest.mark.parametrize(("words", "worst"), [([], NO_GO), ([GO], GO), ([GO, HOLD], HOLD), ([HOLD, NO_GO, GO], NO_GO)])
def test_overall_is_the_worst(words, worst):
    """The decision of a run is the worst of its leagues; of none, NO-GO."""
    assert worst == overall(words)


RULE = (
    "{name: a, stage: import, measure: m, comparison: '<=', threshold: 0, severity: error, why: w,"
    " message: 'm {observed}'}"
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no rule"),
        ("rules: []", "holds no rule"),
        ("rules: {", "not valid YAML"),
        (f"rules: [{RULE}, {RULE}]", "the name stands 2 times"),
        (f"rules: [{RULE.replace('error', 'fatal')}]", "severity is `fatal`"),
        (f"rules: [{RULE.replace('<=', '<')}]", "comparison is `<`"),
        (f"rules: [{RULE.replace('import', 'imports')}]", "stage is `imports`"),
        (f"rules: [{RULE.replace('threshold: 0', 'threshold: yes')}]", "no finite number"),
        (f"rules: [{RULE.replace('threshold: 0', 'threshold: .nan')}]", "no finite number"),
        (f"rules: [{RULE.replace('threshold: 0, ', '')}]", "either `threshold` or"),
        (f"rules: [{RULE.replace('observed', 'seen')}]", "the message cannot be written"),
        (f"rules: [{RULE.replace('why: w', 'reason: w')}]", "`reason` is unknown"),
        (f"rules: [{RULE.replace('why: w, ', '')}]", "`why` is missing"),
        (f"rules: [{RULE.replace('why: w', 'why: w, repairs_only: 1')}]", "`repairs_only` is neither true nor false"),
        (f"rules: [{RULE.replace('why: w', 'why: w, repairs_only: true, imports_only: true')}]", "counts for no run"),
        ("rules: [x]", "rule 1"),
    ],
)
def test_wrong_rules_are_refused(tmp_path, text, says):
    """A rules file that is not as its comment says is refused, with what is wrong and a hint."""
    path = tmp_path / "gate.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        read_rules(path)

    assert says in str(refused.value)
    assert "\nhint: " in str(refused.value)


def start_run(engine: sa.Engine, leagues: list[str], status: str = "completed") -> None:
    """A run in the ledger whose five stages have one status."""
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into etl.runs (run_id, source, as_of) values (:run, 'x', '2025-10-01')"), {"run": RUN_ID}
        )
        for number, stage in enumerate(STAGES):
            connection.execute(
                sa.text("insert into etl.stages (run_id, stage, ordinal, status) values (:run, :stage, :n, :status)"),
                {"run": RUN_ID, "stage": stage, "n": number, "status": status},
            )
        for league in leagues:
            connection.execute(
                sa.text("insert into etl.run_leagues (run_id, league) values (:run, :league)"),
                {"run": RUN_ID, "league": league},
            )


def test_decisions_are_written_to_the_ledger(engine: sa.Engine, settings: Settings):
    """The ledger holds the decision and the reasons of each league as the gate returned them."""
    start_run(engine, LEAGUES)
    evidence = good_evidence()
    evidence["import"]["leagues"]["NSTF"]["series_gone"] = {"value": 1, "detail": ["Series 99"]}
    decided = decide(engine, settings, RUN_ID, evidence)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select league, decision, reasons from etl.run_leagues order by league")
        ).all()

    assert {"APTA_CHICAGO": GO, "NSTF": HOLD} == {row.league: row.decision for row in rows}
    assert json.loads(json.dumps(decided["NSTF"]["reasons"])) == rows[1].reasons


@pytest.mark.parametrize("status", ["running", "died"])
def test_status_comes_from_the_runner(engine: sa.Engine, settings: Settings, status):
    """Good evidence of stages that the runner did not see complete is NO-GO."""
    start_run(engine, LEAGUES, status)

    assert {NO_GO} == decisions(decide(engine, settings, RUN_ID, good_evidence()))


def test_unreadable_rules_are_no_go(engine: sa.Engine, settings: Settings):
    """A rules file with a fault stops every league, with the fault as the reason."""
    start_run(engine, LEAGUES)
    (settings.root / "params").unlink()
    (settings.root / "params").mkdir()
    (settings.root / "params" / "gate.yaml").write_text(f"rules: [{RULE}, {RULE}]", encoding="utf-8")
    found = decide(engine, settings, RUN_ID, good_evidence())

    assert {NO_GO} == decisions(found)
    assert "the name stands 2 times" in found["NSTF"]["reasons"][0]["message"]


def test_leagues_come_from_the_ledger(engine: sa.Engine, settings: Settings):
    """A run of which the ledger knows no league is NO-GO, whatever the evidence says."""
    start_run(engine, [])

    assert {"*": NO_GO} == {
        league: each["decision"] for league, each in decide(engine, settings, RUN_ID, good_evidence()).items()
    }
