"""Names that are alike: a reason to ask, never to decide."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

import numpy as np
from rapidfuzz import fuzz, process

SHORT_WORD = 2  # letters up to which a word is a mark of its own (II, SW, PD) and must be equal
AT_ONCE = 32_000_000  # likenesses held in memory at a time, one byte each
TOKENS = re.compile(r"\d+|[^\W\d_]+")

Block = tuple[Hashable, ...]


def marks_and_words(name: str) -> tuple[tuple[str, ...], str]:
    """What must be equal in two names of one thing (numbers, short words), and the letters that may be misspelled."""
    tokens = TOKENS.findall(name.casefold())
    marks = tuple(sorted(token for token in tokens if token.isdigit() or len(token) <= SHORT_WORD))
    return marks, "".join(token for token in tokens if not token.isdigit() and len(token) > SHORT_WORD)


def likeness(first: str, second: str) -> float:
    """How alike two names are, 0 to 1; 0 when their numbers or short words differ."""
    (marks, words), (other_marks, other_words) = marks_and_words(first), marks_and_words(second)
    return fuzz.ratio(words, other_words) / 100 if marks == other_marks else 0.0


def alike(
    wanted: Iterable[tuple[str, Hashable]], known: Iterable[tuple[str, Hashable]], at_least: float
) -> Mapping[tuple[str, Hashable], list[tuple[tuple[str, Hashable], float]]]:
    """Find for each wanted name the known ones that are as much alike as *at_least*, the likest first.

    A name is a text and a place (series, ordinal); only names of one place with the same marks are compared, so that a
    league of 50,000 teams is not compared with itself. Names that nothing resembles are left out.
    """
    blocks: defaultdict[Block, tuple[set, set]] = defaultdict(lambda: (set(), set()))
    for side, names in enumerate((wanted, known)):
        for name, place in names:
            marks, words = marks_and_words(name)
            blocks[place, marks][side].add((words, name))
    found: defaultdict[tuple[str, Hashable], list] = defaultdict(list)
    for (place, _), (ours, theirs) in blocks.items():
        if ours and theirs:
            for name, other, score in _alike_in_block(sorted(ours), sorted(theirs), at_least):
                found[name, place].append(((other, place), score))
    return {name: sorted(others, key=lambda each: (-each[1], each[0][0])) for name, others in found.items()}


def _alike_in_block(
    ours: list[tuple[str, str]], theirs: list[tuple[str, str]], at_least: float
) -> Iterable[tuple[str, str, float]]:
    others = [words for words, _ in theirs]
    rows = max(1, AT_ONCE // len(others))
    for start in range(0, len(ours), rows):
        part = ours[start : start + rows]
        texts = [words for words, _ in part]
        scores = process.cdist(
            texts, others, scorer=fuzz.ratio, score_cutoff=100 * at_least, dtype=np.uint8, workers=-1
        )
        for row, column in zip(*np.nonzero(scores > 0), strict=True):
            (words, name), (other_words, other) = part[row], theirs[column]
            yield name, other, fuzz.ratio(words, other_words) / 100
