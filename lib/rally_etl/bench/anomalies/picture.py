"""`python -m rally_etl.bench.anomalies.picture > docs/anomalies.svg`: a creep, and when it is seen and predicted."""

from __future__ import annotations

import numpy as np

from rally_etl.bench.anomalies.seasons import PROFILES, histories
from rally_etl.monitoring.forecast import forecast
from rally_etl.monitoring.usual import bands

WIDTH, HEIGHT, LEFT, BOTTOM = 860, 300, 60, 40
SEED, PROFILE, BEFORE = 100, "records kept aside", 25


def main() -> None:
    """Print the picture."""
    history = next(
        each
        for each in histories(SEED)
        if each.profile == PROFILE and each.rhythm == "irregular" and each.fault and each.fault.name == "slow creep"
    )
    first, crossed, limit = history.fault.first, history.crossed, PROFILES[PROFILE].fixed
    runs = range(max(0, first - BEFORE), crossed + 2)
    values = [history.points[run].value for run in runs]
    known = dict(zip(runs, bands(history.points, history.kind, history.calendar)[runs.start : runs.stop], strict=True))
    top = 1.1 * max(*values, limit)

    def x(run: int) -> float:
        return round(LEFT + (run - runs.start) * (WIDTH - LEFT - 20) / (len(runs) - 1), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - min(value, top) * (HEIGHT - BOTTOM - 20) / top, 1)

    banded = [run for run in runs if known[run]]
    edge = [(x(run), y(known[run].high)) for run in banded] + [(x(run), y(known[run].low)) for run in banded[::-1]]
    odd = [run for run in banded if known[run].is_unusual(history.points[run].value, history.kind)]
    told = next(run for run in runs if run >= first and _predicts(history, run, limit))
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f'<polygon points="{_path(edge)}" fill="#cfe0f3"/>\n'
        f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(limit)}" y2="{y(limit)}" stroke="#b3261e"'
        ' stroke-dasharray="6 4"/>\n'
        f'<text x="{LEFT + 6}" y="{y(limit) - 6}" fill="#b3261e">fixed threshold: {limit:.0%}</text>\n'
        f'<polyline points="{_path([(x(run), y(value)) for run, value in zip(runs, values, strict=True)])}"'
        ' fill="none" stroke="#1f3b5c" stroke-width="1.5"/>'
    )
    for run in odd:
        print(f'<circle cx="{x(run)}" cy="{y(history.points[run].value)}" r="4.5" fill="none" stroke="#b3261e"/>')
    for run, height, text in (
        (first, 250, "the creep begins"),
        (next(run for run in odd if run >= first), 205, "first unusual"),
        (told, 228, "crossing predicted"),
        (crossed, 30, "threshold crossed"),
    ):
        anchor = "end" if run in (crossed, told) else "start"
        print(
            f'<line x1="{x(run)}" x2="{x(run)}" y1="{height - 10}" y2="{HEIGHT - BOTTOM}" stroke="#777"/>\n'
            f'<text x="{x(run) + (-4 if run in (crossed, told) else 4)}" y="{height}" text-anchor="{anchor}">{text},'
            f" {history.points[run].as_of}</text>"
        )
    for value in np.linspace(0, 0.1, 3):
        print(f'<text x="{LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{value:.0%}</text>')
    print(
        f'<text x="{LEFT}" y="{HEIGHT - 12}">{PROFILE}, run by run; blue: where the next value lies nine times in ten;'
    )
    print("rings: unusual</text>\n</svg>")


def _predicts(history, run: int, limit: float) -> bool:
    trend = forecast(history.points[: run + 1], history.kind, history.calendar)
    return bool(trend and trend.days_until(limit))


def _path(corners: list[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)


if __name__ == "__main__":
    main()
