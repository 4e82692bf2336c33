"""What happened to a page, in words that a captain understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rally_etl.features.ask import Answer
from rally_etl.features.feature import Feature
from rally_etl.measures import counted

PLURALS = {"team": "teams", "player": "players", "user": "users", "club": "clubs", "series": "series"}


def broken_in_words(page: Feature, answer: Answer) -> str:
    """The page, how many subjects and users lose it, and the worst example before and after."""
    told = f"{page.title} ({page.name}) of {_counted(answer.broken, page.subject)}"
    if page.subject != "user" and answer.users_affected:
        told += f", {counted(answer.users_affected, 'user')}"
    examples = [each for each in answer.examples if each["broken"]]
    return f"{told}: {example_in_words(examples[0])}" if examples else told


def low_in_words(page: Feature, answer: Answer, bound: float) -> str:
    """How many of the pages work, how many should, and how it was before."""
    share = answer.works_after / answer.after
    told = f"{page.title} ({page.name}) works for {_share(answer.works_after, answer.after, page.subject)}"
    told += f" ({share:.1%}, expected {bound:.0%})"
    if answer.before:
        told += f", before for {answer.works_before:,} of {answer.before:,}"
    return f"{told}: {example_in_words(answer.examples[0])}" if answer.examples else told


def gone_in_words(page: Feature, answer: Answer) -> str:
    """How many subjects that had the page have it no more."""
    return f"{page.title}: {_share(answer.gone, answer.works_before, page.subject)} would have it no more"


def example_in_words(example: Mapping[str, Any]) -> str:
    """One page: whose, what it showed, what it would show, who sees it."""
    before, after = example["before"] or "no such page", example["after"] or "nothing"
    shown = f"now {before}; then {after}" if before != after else f"{after}, now and then"
    seen = f" ({counted(example['users'], 'user')})" if example["users"] else ""
    return f"{example['subject']}{seen}: {shown}"


def _counted(number: int, subject: str) -> str:
    return counted(number, subject, PLURALS[subject])


def _share(part: int, whole: int, subject: str) -> str:
    return f"{part:,} of {_counted(whole, subject)}"
