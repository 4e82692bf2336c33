"""What people read is true: every command, output, table, tree and link of the README and of docs/.

`RALLY_UPDATE_README=1 pytest tests/test_readme.py` writes outputs that differ into the README; read what it changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer.main
from ruamel.yaml import YAML

from inprocess import rally_etl
from rally_etl import cli, gate, naming, pipeline
from rally_etl.records.reasons import REASONS
from rally_etl.settings import Settings
from transcripts import INSTALLING, rewrite, shown_commands

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("params/**/*.md")),
         *sorted(ROOT.glob("notebooks/*.md")), *sorted(ROOT.glob("reports/README.md"))]  # fmt: skip
COMMAND = re.compile(r"rally-etl ((?:(?:db|names|reviews|incidents|snapshot|alerts|check(?= new| prove)) )?[a-z]+)")
SHOWN = shown_commands(README.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Printed:
    """What the commands of the README print here, in their order; and the document of the newest run."""

    lines: list[list[str]]
    document: dict


@pytest.fixture(scope="module")
def printed(module_settings: Settings) -> Iterator[Printed]:
    """Run every command of the README once, in its order, on a project folder and a database of their own.

    The first is what an operator calls, with processes and kernels; the others run within this process, unless what
    they print, seconds too, is to be written into the README.
    """
    is_written = "RALLY_UPDATE_README" in os.environ
    found = [
        _run(shown.command, module_settings, here=place > 0 and not is_written) for place, shown in enumerate(SHOWN)
    ]
    newest = max(module_settings.reports_dir.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    if is_written:
        rewrite(README, found)
    yield Printed(found, json.loads(newest.read_text(encoding="utf-8")))


def _run(command: str, settings: Settings, here: bool) -> list[str]:
    """Lines of the command on both streams; `make etl-run` is what the Makefile calls for it, without installing."""
    words = shlex.split(command)
    if words == ["make", "etl-run"]:
        words = ["rally-etl", "run", "--sample"]
    folder = settings.root
    if words[0] == "rally-etl":
        runs = sorted(path.parent.name for path in settings.reports_dir.glob("*/run.json"))
        words = [runs[-1] if word == "RUN" else word for word in words[1:]]
        if here:
            done = rally_etl(settings, *words, COLUMNS="80")
            return (done.stdout + done.stderr).rstrip("\n").split("\n")
        words = [sys.executable, "-m", "rally_etl", *words]
    else:
        folder = ROOT
    outer_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
    environment = {name: text for name, text in os.environ.items() if name not in outer_make} | {
        "RALLY_HOME": str(settings.root),
        "DATABASE_URL": settings.database_url or "",
        "PYTHONPATH": str(ROOT / "lib"),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "80",
    }
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180
    )
    return done.stdout.rstrip("\n").split("\n")


@pytest.mark.parametrize("number", range(len(SHOWN)), ids=[f"{n}-{shown.command}" for n, shown in enumerate(SHOWN)])
def test_output_is_what_the_command_prints(printed, number):
    """Every output in the README is printed by its command, but for run ids and seconds."""
    assert SHOWN[number].lines
    assert SHOWN[number].is_printed(printed.lines[number]), f"$ {SHOWN[number].command}\n{printed.lines[number]}"


def test_installing_is_announced_as_shown():
    """The lines of the transcript that come from installing are those of the Makefile."""
    announced = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")

    lines = [line for shown in SHOWN for line in shown.lines if line.startswith(INSTALLING)]
    assert [True] * 2 == [f'"{line}"' in announced for line in lines]


def test_json_document_has_the_shape_shown(printed):
    """The keys and types of the JSON document in the README are those of a real run."""
    (block,) = re.findall(r"^```json\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    shown, real = json.loads(block), printed.document
    league, real_league = shown["leagues"]["NSTF"], real["leagues"]["NSTF"]

    assert _shape(shown) == _shape(real)
    assert _shape(league) == _shape(real_league)
    assert league["plan"]["teams"].keys() == real_league["plan"]["teams"].keys()
    assert shown["stages"][0].keys() == real["stages"][0].keys()
    assert set(gate._reason("", "", "")) == set(league["reasons"][0])


def _shape(document: dict) -> dict[str, str]:
    return {key: "number" if type(value) in (int, float) else type(value).__name__ for key, value in document.items()}


def test_exit_codes_are_those_of_the_help():
    """The table of exit codes says what `rally-etl --help` says."""
    helped = dict(re.findall(r"^  (\d[\d, ]*)  (.+)$", cli.EXIT_CODES, re.M))

    assert helped == {code: meaning for code, meaning, *_ in _table("## Exit codes")}


def test_operations_table_names_every_command_and_no_other():
    """Each subcommand stands in the operations table, and each one that stands there exists."""
    named = {name for row in _table("## Which command") for name in COMMAND.findall(row[1])}

    assert set(subcommands()) == named


def subcommands() -> Iterator[str]:
    """Names of all subcommands, those of a group with the group's."""
    for name, command in typer.main.get_command(cli.app).commands.items():
        inner = getattr(command, "commands", {})
        if not inner or command.invoke_without_command:
            yield name
        yield from (f"{name} {each}" for each in inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_named_in_a_page_exist(page):
    """Nobody is sent to a command, an option, a target or a notebook that does not exist."""
    text = page.read_text(encoding="utf-8")
    known = set(subcommands()) | {"db"}
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    commands = COMMAND.findall("\n".join(_code_in(text)))

    assert [] == sorted(set(commands) - known)
    assert [] == sorted(set(re.findall(r"\bmake ([a-z-]+)", "\n".join(_code_in(text)))) - set(targets))
    assert [] == [name for name in re.findall(r"`(0\d_\w+)`", text) if not (ROOT / f"notebooks/{name}.ipynb").exists()]


def _code_in(text: str) -> list[str]:
    """Code spans and blocks of a page, each command on a line of its own."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S) + re.findall(r"^ {4}(\S.*)$", text, re.M)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    """Relative links name files that exist; what follows a # is a heading of the page it leads to."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)

    assert [] == broken


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_tree_names_what_exists():
    """Each path of the tree exists, and each folder of the package stands in it."""
    paths = dict(tree())
    packages = {path.parent.name for path in (ROOT / "lib/rally_etl").glob("*/__init__.py")}

    assert [] == [path for path in paths if not (ROOT / path).exists()]
    assert packages == {Path(path).name for path in paths if re.fullmatch(r"lib/rally_etl/\w+/", path)}
    assert all(purpose for purpose in paths.values())


def tree() -> Iterator[tuple[str, str]]:
    """Paths of the README's tree with what each is for, in its order."""
    (block,) = re.findall(r"^```text\n(params/.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    parents: dict[int, str] = {}
    for line in block.splitlines():
        indent, name, purpose = re.fullmatch(r"( *)(\S+) +(.+)", line).groups()
        path = parents.get(len(indent) - 2, "") + name
        parents[len(indent)] = path
        yield path, purpose


def test_measures_of_a_run_are_those_described(printed, module_engine):
    """Each measure that a run glues stands in docs/data-flow.md, and each one that stands there is glued."""
    rows = _table("## Evidence", ROOT / "docs/data-flow.md")
    described = {row[0]: set(re.findall(r"`(\w+)`", row[1])) for row in rows}
    with module_engine.connect() as connection:
        found = connection.execute(sa.text("select stage, metric from etl.metrics where metric not like '%.%'")).all()

    assert described == {stage: {row.metric for row in found if row.stage == stage} for stage in described}
    assert set(pipeline.STAGES) == set(described)


def test_quarantine_reasons_are_those_described():
    """Each reason stands in docs/data-flow.md with its class, and no other."""
    rows = _table("## Quarantine reasons", ROOT / "docs/data-flow.md")

    assert REASONS == {reason: row[1] for row in rows for reason in re.findall(r"`(\w+)`", row[0])}


def test_generic_grammar_reads_what_the_page_says():
    """The table of names in docs/adding-a-league.md is what a league without a file reads."""
    league = naming.load_leagues(ROOT / "params").get("PADDLE_WEST")
    rows = _table("## Without a file", ROOT / "docs/adding-a-league.md")

    assert rows
    for team, series, name, canonical in rows:
        found = league.parse_team(team, series or None)
        assert (name, canonical) == (found.name, found.series)


def test_every_rule_of_the_gate_is_in_the_runbook():
    """docs/operations.md says for each rule of params/gate.yaml what it decides and what to do."""
    rules = {rule.name: gate.DECISION_OF[rule.severity] for rule in gate.read_rules(ROOT / "params/gate.yaml")}
    shown = {row[0].strip("`"): row[1] for row in _table("### Rules", ROOT / "docs/operations.md")}

    assert rules == shown


def test_example_league_is_read_as_it_says():
    """The league file in docs/adding-a-league.md is a valid one, and its examples hold."""
    (block,) = re.findall(
        r"^```yaml\n(key:.*?)^```$", (ROOT / "docs/adding-a-league.md").read_text(encoding="utf-8"), re.M | re.S
    )
    league = naming.League.model_validate(YAML(typ="safe").load(block))

    assert league.team_examples
    for example in league.team_examples:
        team = league.parse_team(example.team, example.printed_series)
        assert (example.name, example.series) == ((team.name, team.series) if team else (None, None))
    for printed_series, name in league.series_examples.items():
        assert name == league.parse_series(printed_series)


def _table(heading: str, page: Path = README) -> list[list[str]]:
    """Rows of the first table under a heading, without its header; cells without blanks around them."""
    section = page.read_text(encoding="utf-8").split(f"\n{heading}", 1)[1]
    (rows,) = re.findall(r"^\|(?: --- \|)+\n((?:\|.*\n)+)", section, re.M)[:1]
    return [[cell.strip() for cell in row.strip()[1:-1].split("|")] for row in rows.splitlines()]
