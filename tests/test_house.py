"""House rules: where things may be installed from, what may import what, and how files are kept."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main
from ruamel.yaml import YAML

from rally_etl import cli
from test_readme import tree

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib/rally_etl"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SERVES_ALL = {"settings", "errors", "params", "measures", "database", "logs", "scrubbing", "__version__"}
LONGEST_MODULE = 400  # lines
NO_NAMES = ("utils", "util", "helpers", "helper", "common", "misc")


@cache
def project_files() -> tuple[Path, ...]:
    """Files of the project: those that git knows or would add; in a copy without git, all but what runs write."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, text=True
    )
    if listed.returncode == 0 and listed.stdout:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        written = {".venv", ".venv-bench", ".rally", ".git", "__pycache__", "build"}
        written |= {".pytest_cache", ".ruff_cache", ".hypothesis"}
        found = [path for path in ROOT.rglob("*") if not written & set(path.relative_to(ROOT).parts)]
        found = [path for path in found if path.name == "README.md" or ROOT / "reports" not in path.parents]
    return tuple(path for path in found if path.is_file())


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every file of the project that is text."""
    for path in project_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_names_a_place_to_install_from():
    """Where packages come from is the affair of the machine: no address of a registry, in no file."""
    registry = re.compile(
        r"https?://[^\s\"'<>]*(?:pypi|pythonhosted|anaconda|conda-forge|npmjs|/simple\b|artifactory|nexus)"
    )
    option = re.compile(r"^(?:-i|--index-url|--extra-index-url|--find-links|--trusted-host)\b", re.M)

    assert [] == [name for name, text in texts() if registry.search(text) or option.search(text)]


def test_no_file_holds_a_path_of_somebodys_machine():
    """A home folder in a file works for one person."""
    home = re.compile(r"/(?:home|Users)/[a-z]|(?<![\w.])/ro{2}t/")

    assert [] == [name for name, text in texts() if home.search(text)]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"])
def test_lock_pins_and_hashes_every_requirement(name):
    """Each requirement of a lock has one version and at least one hash, and the lock holds no address."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]

    assert entries
    assert [] == [entry[:60] for entry in entries if not re.match(r"[a-z0-9][\w.-]*(?:\[[\w,]+\])?==\S+", entry, re.I)]
    assert [] == [entry[:60] for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in text


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-bench"])
def test_lock_holds_what_is_asked_for(name):
    """Each requirement that people wrote stands in the lock, with the version they wrote."""
    asked = re.findall(r"^([A-Za-z0-9][\w.-]*)(?:==([\w.]+))?", (ROOT / f"{name}.in").read_text(encoding="utf-8"), re.M)
    lock = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", lock, re.M)
    locked = {_normal(package): version for package, version in pins}

    assert asked
    assert [] == [
        package
        for package, version in asked
        if _normal(package) not in locked or version not in ("", locked[_normal(package)])
    ]


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def test_conda_installs_through_the_same_lock():
    """environment.yml takes Python and make from conda-forge and everything else from requirements.txt."""
    content = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    named = [part for part in content["dependencies"] if isinstance(part, str)]
    (through_pip,) = (part["pip"] for part in content["dependencies"] if isinstance(part, dict))

    assert ["conda-forge", "nodefaults"] == content["channels"]
    assert {"python", "pip", "make"} == {re.split(r"[=<>]", part)[0] for part in named}
    assert ["-r requirements.txt"] == through_pip


@pytest.mark.parametrize(
    "path", sorted((ROOT / "params").rglob("*.y*ml")), ids=lambda path: path.relative_to(ROOT / "params").as_posix()
)
def test_params_file_is_yaml(path):
    """Each params file is YAML with keys at its top, none of them twice."""
    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))

    assert isinstance(content, dict)
    assert content


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_is_kept_like_the_others(path):
    """A module says what it is, is short, is named after what it holds, and postpones annotations."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source)

    assert ast.get_docstring(module)
    assert len(source.splitlines()) <= LONGEST_MODULE
    assert not set(NO_NAMES) & set(path.relative_to(PACKAGE).with_suffix("").parts)
    assert path.name == "__init__.py" or "from __future__ import annotations" in source


def test_packages_import_only_from_those_above_them():
    """The order of packages in the README is the order in which they may import; a few serve all."""
    order = [Path(path).name for path, _ in tree() if re.fullmatch(r"lib/rally_etl/\w+/", path)]
    order = order[: order.index("reporting") + 1]
    wrong = []
    for path in MODULES:
        own = path.relative_to(PACKAGE).parts[0]
        allowed = {own, *SERVES_ALL, *(order[: order.index(own)] if own in order else ())}
        if own in order or own in SERVES_ALL:
            wrong += [f"{path.relative_to(PACKAGE)} imports {name}" for name in _imports(path) if name not in allowed]

    assert [] == wrong


def _imports(path: Path) -> Iterator[str]:
    """Parts of rally_etl that a module imports when it runs, not those it imports for its annotations."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(module):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    for node in ast.walk(module):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"rally_etl.{name}" for name in names] if node.module == "rally_etl" else [node.module or ""]
        yield from (name.split(".")[1] for name in names if name.startswith("rally_etl."))


def commands(group: object, name: str = "rally-etl") -> Iterator[tuple[str, object]]:
    """Every command of a group and of its groups, with its full name."""
    for word, command in group.commands.items():
        yield f"{name} {word}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help(name):
    """Each command says what it does, and each option and argument what it means."""
    command = COMMANDS[name]

    assert command.help
    assert [] == [param.name for param in command.params if not getattr(param, "help", None)]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT / "tests").as_posix())
def test_test_says_what_it_shows(path):
    """Each test says in a sentence what it shows."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]

    assert [] == [node.name for node in functions if not ast.get_docstring(node)]


def test_nothing_is_left_to_do():
    """What is unfinished is an issue, not a comment."""
    mark = re.compile(r"#\s*(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")

    assert [] == [name for name, text in texts() if name.endswith((".py", ".sql", ".yaml")) and mark.search(text)]


def test_every_incident_that_a_file_names_is_described():
    """A number of an incident means something to a reader: docs/data-quality.md says what."""
    page = (ROOT / "docs/data-quality.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| (\d+) \|", page, re.M))
    named = {
        number
        for _, text in texts()
        for run in re.findall(r"\bincidents? (\d+(?:(?:,| and) \d+)*)", text)
        for number in re.findall(r"\d+", run)
    }

    assert set() == named - described
