"""What an operator reads of the health at six in the morning: what decides, what lowers each part, what to do first."""

from __future__ import annotations

from typing import Any

import healthy
from rally_etl.commands.live import lines_of
from rally_etl.monitoring import advise
from rally_etl.monitoring.advice import advise_all

WHAT = (
    "199 of 1,000,000 rows of users have lost what they are about;"
    " `teams/active_team_has_players` finds 20 of 534 rows; the matches lie 21 days behind"
)


def document(what: str) -> dict[str, Any]:
    """As `health_live` answers it for one league."""
    scored = healthy.damaged(what)
    advice = advise(healthy.PARAMS, scored)
    league = {
        "health_score": scored.score, "level": scored.level, "without_caps": scored.mean, "missing": scored.missing,
        "caps": [cap.as_json() for cap in scored.caps], "parts": [part.as_json() for part in scored.parts],
    }  # fmt: skip
    return {
        "health_score": scored.score, "level": scored.level, "leagues": {"SAMPLE": league},
        "recommendations": advise_all({"SAMPLE": advice}), "missing": scored.missing,
    }  # fmt: skip


def test_one_line_per_league_says_what_decides():
    """The cap that holds it; without one what takes most; nothing where nothing is lost."""
    held, lowered, good = (
        [*lines_of(document(what), detailed=False)]
        for what in (WHAT, "the matches lie 21 days behind", "nothing is wrong")
    )

    assert "health 60.0  critical" == held[0]
    assert "held at 60 by users/orphans: 199 of 1,000,000 rows of users have lost" in held[1]
    assert "most by match_scores/freshness: the newest match is of 2025-09-10" in lowered[1]
    assert ["health 100.0  good", "  SAMPLE         100.0  good"] == good


def test_details_end_with_what_to_do():
    """Caps and why, a line per dimension with its points, then what to do with the command, what wins most first."""
    lines = [*lines_of(document(WHAT), detailed=True)]
    todo = lines[lines.index("to do, what wins most first") + 1 :]

    assert [line for line in lines if line.strip().startswith("at most 60")]
    assert 2 == sum("199 of 1,000,000 rows" in line for line in lines)  # at its cap, and at what to do
    assert [*healthy.PARAMS.weights] == [
        line.split()[0] for line in lines if line.strip().split(" ")[0] in healthy.PARAMS.weights
    ]
    assert todo[0].startswith("  1        +38.3  users/orphans: 199 of 1,000,000 rows")
    assert "rally-etl orphans --repair --dry-run" == todo[2].strip()
    assert [n for n, line in enumerate(todo) if line[:3].strip().isdigit()] == [0, 3, 6]


def test_a_database_without_leagues_says_why():
    """Nothing but the reason, and what to do."""
    empty = {"health_score": 0.0, "level": "critical", "leagues": {}, "recommendations": [], "missing": ["no league"]}

    assert ["health 0.0  critical", "  no league"] == [*lines_of(empty, detailed=True)]
