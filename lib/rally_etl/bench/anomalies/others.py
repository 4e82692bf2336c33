"""The same with statsmodels, scikit-learn and river: `requirements-bench.txt` brings them, the product does not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from river.anomaly import HalfSpaceTrees
from sklearn.ensemble import IsolationForest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from rally_etl.bench.anomalies.judging import Answer, Method
from rally_etl.bench.anomalies.methods import NORMAL, off, windows
from rally_etl.bench.anomalies.seasons import Array, History
from rally_etl.monitoring.usual import UNUSUAL, grain

REFIT = 10
"""Runs after which a model is fitted anew; between, its states go on."""


def ets(history: History) -> Answer:
    """Exponential smoothing with a damped trend; the band from the errors of its fit."""
    values, score = _empty(history)
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    since, params = REFIT, None
    for run, past, is_new in windows(history):
        scale = max(float(np.median(np.abs(values[past]))), 1e-6)
        fitted = _ets(values[past] / scale, None if is_new or since >= REFIT else params)
        since = 1 if is_new or since >= REFIT else since + 1
        params = fitted.params
        expected = float(fitted.forecast(1)[0]) * scale
        width = max(NORMAL * float(np.std(fitted.resid)) * scale, grain(expected, history.kind))
        score[run] = max(0.0, off(values[run], expected, history.kind) / width)
        low[run], high[run] = expected - width, expected + width
    return Answer(score=score, low=low, high=high)


def _ets(seen: Array, params: Array | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ETSModel(seen, error="add", trend="add", damped_trend=True)
        return model.fit(disp=False) if params is None else model.smooth(params)


def isolation_forest(history: History) -> Answer:
    """Isolation in the plane of value and last step, both in median distances; no band."""
    values, score = _empty(history)
    forest, waiting = None, []  # asked together, of one forest: a tree answers ten as fast as one

    def ask() -> None:
        if waiting:
            score[[run for run, _ in waiting]] = -forest.score_samples(np.array([now for _, now in waiting]))
            waiting.clear()

    since = REFIT
    for run, past, is_new in windows(history):
        level, width = _scale(values[past], history)
        if since >= REFIT or is_new:
            ask()
            since = 0
            forest = IsolationForest(n_estimators=50, random_state=0).fit(_features(values[past], level, width))
        since += 1
        score[run] = 0.0
        if _matters(values[run], level, history):
            waiting.append((run, _features(values[np.append(past, run)], level, width)[-1]))
    ask()
    return Answer(score=score, low=np.full(len(values), np.nan), high=np.full(len(values), np.nan))


def half_space_trees(history: History) -> Answer:
    """river's online trees over the same plane; no band."""
    values, score = _empty(history)
    trees, learnt = None, -1
    for run, past, is_new in windows(history):
        level, width = _scale(values[past], history)
        if is_new:
            trees, learnt = HalfSpaceTrees(n_trees=20, height=6, window_size=8, seed=1), -1
        for each in past[past > learnt]:
            trees.learn_one(_cell(values[each], values[past[0]], level, width))
        learnt = int(past[-1])
        odd = trees.score_one(_cell(values[run], values[past[-1]], level, width))
        score[run] = odd if _matters(values[run], level, history) else 0.0
    return Answer(score=score, low=np.full(len(values), np.nan), high=np.full(len(values), np.nan))


def _empty(history: History) -> tuple[Array, Array]:
    values = np.array([point.value for point in history.points])
    return values, np.full(len(values), np.nan)


def _scale(seen: Array, history: History) -> tuple[float, float]:
    level = float(np.median(seen[-20:]))
    return level, max(1.4826 * float(np.median(np.abs(seen - level))), grain(level, history.kind))


def _features(seen: Array, level: float, width: float) -> Array:
    steps = np.diff(seen, prepend=seen[0])
    return np.clip(np.column_stack([(seen - level) / width, steps / width]), -50, 50)


def _cell(value: float, before: float, level: float, width: float) -> dict[str, float]:
    place, step = (float(np.clip(each / width / 20 + 0.5, 0, 1)) for each in (value - level, value - before))
    return {"place": place, "step": step}


def _matters(value: float, level: float, history: History) -> bool:
    """The same least move as for all methods, so many half-widths as those at which ours speaks."""
    return off(value, level, history.kind) > UNUSUAL * grain(level, history.kind)


OTHERS: dict[str, Method] = {
    "ETS, damped trend (statsmodels)": ets,
    "IsolationForest (scikit-learn)": isolation_forest,
    "HalfSpaceTrees (river, online)": half_space_trees,
}
