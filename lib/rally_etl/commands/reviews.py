"""`rally-etl reviews`: what only a person can answer about who is who, and the answers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rally_etl.identity.answers import Answer
    from rally_etl.identity.reviews import Question

SHOWN_PER_KIND = 30
By = Annotated[str, typer.Option(help="Who answers.", metavar="WHO")]
Reason = Annotated[str, typer.Option(help="How you know.", metavar="TEXT")]
Number = Annotated[int, typer.Argument(metavar="N", help="As `rally-etl reviews` lists it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

reviews = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@reviews.callback()
def listed(
    context: typer.Context,
    league: Annotated[str, typer.Option(help="Only this league's questions.", metavar="KEY")] = "",
    every: Annotated[bool, typer.Option("--all", help=f"Print more than {SHOWN_PER_KIND} of a kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the open questions about who is who.

    First those that rows wait for, then proposals. Each with its candidates: id, name, how found, how likely, why.
    """
    if context.invoked_subcommand:
        return
    from rally_etl.commands.terminal import print_json
    from rally_etl.database.engine import connect, read_only
    from rally_etl.database.schema import init
    from rally_etl.identity.reviews import read_open
    from rally_etl.naming import load_leagues
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    key = load_leagues(settings.params_dir).get(league).key if league else None
    with read_only(engine) as connection:
        questions = read_open(connection, key)
    if as_json:
        print_json({"reviews": [question.as_row() for question in questions]})
        return
    for line in lines_of(questions, None if every else SHOWN_PER_KIND):
        typer.echo(line)
    for hint in _hints(questions):
        typer.echo(hint, err=True)


@reviews.command("accept")
def accept(
    number: Number,
    by: By,
    reason: Reason,
    target: Annotated[
        str, typer.Option("--as", help="A live id; needed unless there is one candidate.", metavar="ID")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say that the name is the candidate.

    Later runs know the name as an alias, and rows that waited for it come in with the next run. --as takes any live id
    of the league; for players a person key or a tenniscores_player_id.

    Exit codes: 0 accepted, 2 nothing was changed (the message says why), 5 a run is going on.
    """
    from rally_etl.identity import answers

    settings, engine = _opened()
    _tell(answers.accept(engine, settings, number, by, reason, target or None), as_json)


@reviews.command("reject")
def reject(number: Number, by: By, reason: Reason, as_json: AsJson = False) -> None:
    """Say that it is none of the candidates.

    The same is not asked again; what the name is then taken for, the next run decides: a new thing, or nothing known.

    Exit codes: 0 rejected, 2 nothing was changed (the message says why), 5 a run is going on.
    """
    from rally_etl.identity import answers

    _, engine = _opened()
    _tell(answers.reject(engine, number, by, reason), as_json)


def lines_of(questions: Iterable[Question], most: int | None) -> Iterable[str]:
    """The queue as text: per league those that rows wait for, then proposals, by kind; at most *most* of each kind."""
    from rally_etl.commands.terminal import printable
    from rally_etl.identity import wording
    from rally_etl.measures import counted

    def group(question: Question) -> tuple[str, bool, str]:
        return question.league, question.review.is_held, question.review.kind

    for (league, is_held, kind), found in groupby(questions, group):
        several = list(found)
        what = "rows wait" if is_held else "proposals"
        yield f"{league}  {what}, {wording.kind_in_words(kind)}: {counted(len(several), 'question')}"
        for question in several[:most]:
            review = question.review
            outcome = wording.consequence(review, question.held_rows)
            yield printable(f"{question.number:>6}  {wording.subject(review)}, {outcome}")
            yield f"{'':8}{wording.asked(review)}"
            if review.told:
                yield printable(f"{'':8}{review.told}")
            for candidate in review.candidates:
                facts = f"{candidate.strategy} {wording.percent(candidate.confidence)}  {candidate.evidence}".rstrip()
                yield printable(f"{'':8}{candidate.id:>6}  {candidate.name}  {facts}")
        if most is not None and len(several) > most:
            yield f"{'':8}and {len(several) - most:,} more (--all)"


def _hints(questions: list[Question]) -> list[str]:
    """How to answer, of those commands that this queue needs."""
    if not questions:
        return ["no question waits for an answer"]
    tail = "--by WHO --reason TEXT"
    several = any(len(question.review.candidates) != 1 for question in questions)
    hints = [f"hint: rally-etl reviews accept N {tail}" + ("  (--as ID if there are several)" if several else "")]
    if any(question.review.kind == "merge" for question in questions):
        hints.append(f"hint: rally-etl merge TABLE ID INTO ID {tail}  makes two live rows one")
    return [*hints, f"hint: rally-etl reviews reject N {tail}"]


def _opened():
    from rally_etl.database.engine import connect
    from rally_etl.database.schema import init
    from rally_etl.settings import Settings

    settings = Settings.from_env()
    engine = connect(settings)
    init(engine)
    return settings, engine


def _tell(answer: Answer, as_json: bool) -> None:
    from rally_etl.commands.terminal import print_json, printable
    from rally_etl.identity import wording
    from rally_etl.measures import counted

    question = answer.question
    if as_json:
        print_json(question.as_row() | {"state": answer.state, "target": answer.target or None})
        return
    meaning = f" is {answer.target} {answer.target_name}" if answer.target else ""
    typer.echo(printable(f"{answer.state:10}{question.number}  {wording.subject(question.review)}{meaning}"))
    if question.held_rows:
        rows = counted(question.held_rows, "row that waited", "rows that waited")
        run = f"the next run of {question.league} takes up"
        if question.review.kind == "orphan":
            run = "rally-etl orphans --repair mends" if answer.target else "rally-etl orphans leaves alone"
        typer.echo(f"{run} the {rows}", err=True)
    if answer.held_run:
        typer.echo(
            f"hint: run {answer.held_run} holds a plan of {question.league} made before this answer;"
            " run its scrape again instead of approving it",
            err=True,
        )
