"""`make bench-anomalies`: which method finds what, on labelled seasons; prints the tables of docs/anomalies.md.

Each method has one threshold for everything, the least with which it does not cry wolf more often than the budget on
the seasons to learn from; what is reported is of other seasons.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rally_etl.bench.anomalies.foretelling import cover, crossings
from rally_etl.bench.anomalies.judging import Method, Tally, judge, threshold_for
from rally_etl.bench.anomalies.methods import METHODS, fixed
from rally_etl.bench.anomalies.seasons import FAULTS, PROFILES, History, histories
from rally_etl.monitoring.usual import UNUSUAL

LEARN, REPORT = range(2), range(100, 102)
SLOW = {
    "ETS, damped trend (statsmodels)": (1, 1.0),
    "HalfSpaceTrees (river, online)": (1, 1.0),
    "IsolationForest (scikit-learn)": (1, 0.5),
}
"""Methods that take long: seasons of theirs, and the share of the histories, drawn at random."""
BUDGET = 0.1
"""False alarms per 100 clean runs of one series."""
DAYS_AHEAD = (7, 28)
COLUMNS = ("false alarms", "in the band", "lead", "runs", "ms")
ENVIRONMENT = Path(".venv-bench")
OURS = next(iter(METHODS))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m rally_etl.bench.anomalies", description=__doc__)
    parser.add_argument("--seeds", type=int, default=len(LEARN), help="seasons to learn from, and as many to report")
    parser.add_argument("--share", type=float, default=1, help="of the histories, drawn at random")
    parser.add_argument("--own", action="store_true", help="leave out statsmodels, scikit-learn and river")
    parser.add_argument("--method", default="", help="only methods whose name has this")
    options = parser.parse_args()
    methods, profiles = METHODS if options.own else METHODS | _others(), None
    report = _histories(REPORT[: options.seeds], options.share)
    _head(("method", "threshold", "precision", "recall", "F1", *FAULTS, *COLUMNS))
    for name, method in {"fixed thresholds of the gate": fixed, **methods}.items():
        if options.method in name:
            seeds, share = SLOW.get(name, (options.seeds, options.share))
            seeds, share = min(seeds, options.seeds), min(share, options.share)
            tally = _report(name, method, _histories(LEARN[:seeds], share), _histories(REPORT[:seeds], share))
            profiles = tally if name == OURS else profiles
    if profiles:
        _print_profiles(profiles)
        _print_forecasts(report)


def _histories(seeds: Sequence[int], share: float) -> Sequence[History]:
    found = [history for seed in seeds for history in histories(seed)]
    return random.Random(1).sample(found, round(share * len(found)))


def _others() -> dict[str, Method]:
    """Those of libraries that stand in an environment of their own; ours are found first."""
    sys.path += map(str, ENVIRONMENT.glob("lib/python*/site-packages"))
    try:
        from rally_etl.bench.anomalies.others import OTHERS
    except ModuleNotFoundError as missing:
        sys.exit(
            f"error: {missing}; nothing was measured\nhint: `make bench-anomalies` installs it, or leave it: --own"
        )
    return OTHERS


def _report(name: str, method: Method, learn: Sequence[History], report: Sequence[History]) -> Tally:
    threshold = 1.0 if method is fixed else threshold_for([(each, method(each)) for each in learn], BUDGET)
    begun = time.perf_counter()
    answers = [(history, method(history)) for history in report]
    each = 1000 * (time.perf_counter() - begun) / len(report)
    runs = f"{sum(len(history.points) for history in report):,}"
    tally = judge(answers, threshold)
    _row(name, *_cells(tally, threshold), runs, f"{each:.0f}")
    if name == OURS:
        _row(f"the same at {UNUSUAL}", *_cells(tally := judge(answers, UNUSUAL), UNUSUAL), runs, "")
    return tally


def _cells(tally: Tally, threshold: float) -> list[str]:
    lead = np.median(np.array(tally.lead), axis=0) if tally.lead else (0, 0)
    return [
        f"{threshold:.2f}",
        f"{tally.precision:.2f}",
        f"{tally.recall:.2f}",
        f"{tally.f1:.2f}",
        *(f"{tally.found[fault] / tally.there[fault]:.2f}" if tally.there[fault] else "" for fault in FAULTS),
        f"{tally.false_alarms:.2f}",
        f"{tally.coverage:.0%}" if tally.banded else "no band",
        f"{lead[0]:.0f} runs, {lead[1]:.0f} days ({len(tally.lead)} of {tally.crossing})",
    ]


def _print_profiles(tally: Tally) -> None:
    print()
    _head(("series", "in the band", "false alarms"))
    for name in filter(tally.banded_by.__getitem__, PROFILES):
        false = sum(count for key, count in tally.false_by.items() if key.split("/")[0] == name)
        _row(name, f"{tally.inside_by[name] / tally.banded_by[name]:.0%}", str(false))


def _print_forecasts(report: Sequence[History]) -> None:
    print()
    for days in DAYS_AHEAD:
        found = cover(report, days)
        inside, asked = (sum(getattr(one, name) for one in found.values()) for name in ("inside", "asked"))
        least = min(found, key=lambda name: found[name].inside / found[name].asked)
        worst = found[least].inside / found[least].asked
        print(f"forecast {days} days ahead: {inside / asked:.0%} of {asked:,} in the band; least: {least}, {worst:.0%}")
    told = crossings(report)
    print(
        f"creeps that crossed their threshold: {told.creeps}, predicted {len(told.ahead)}, the median one"
        f" {np.median(told.ahead):.0f} days before, off by {np.median(np.abs(told.off)):.0f} days;"
        f" predicted in vain at {told.vain} of {told.clean:,} clean runs"
    )


def _head(names: Sequence[str]) -> None:
    _row(*names)
    print("| --- |" + " ---: |" * (len(names) - 1))


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
