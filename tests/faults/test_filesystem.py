"""Folders that cannot be written and full disks: a clear error, live before or after, and the next run works."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY, MakeDatabase
from faults import labs
from faults.kills import scrape_of
from faults.trials import Lab

KIB = 1024

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(make_database: MakeDatabase, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The run of a week; the command is started in a process of its own."""
    with make_database(template_database) as url, labs.a_run(tmp_path_factory.mktemp("lab"), url) as lab:
        yield lab


def run(lab: Lab, largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command with its stages in one process, which may write files of *largest_file* bytes at most."""

    def limit() -> None:
        if largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = os.environ | {
        "DATABASE_URL": lab.settings.database_url,
        "RALLY_HOME": str(lab.settings.root),
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "lib"), str(REPOSITORY / "tests"))),
    }
    arguments = ("run", "--source", str(scrape_of(lab)), "--as-of", labs.AS_OF.isoformat(), "--json")
    done = subprocess.run(
        [sys.executable, "-c", "from inprocess import command; command()", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=limit,
    )
    lab.wait_for_silence()
    return done


@pytest.mark.parametrize(
    ("what", "largest_file", "code", "telling", "live"),
    [
        # No file may be larger than the one library of every report: notebooks fit, the report does not.
        ("", 1000 * KIB, 1, "the report of run .* what it decided stands: APTA_CHICAGO GO, published", "after"),
        ("reports", None, 1, "reports/.* cannot be written .Not a directory", "before"),
        ("", 2 * KIB, 1, "what it decided stands: APTA_CHICAGO NO-GO, not pub", "before"),
        (".rally", None, 3, "the archive .* cannot be written", "before"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_said(
    lab: Lab, what: str, largest_file: int | None, code: int, telling: str, live: str
):
    """A file stands where a folder belongs, or the disk is full: named in one sentence, and live is whole."""
    lab.world.put_back()
    for folder in ("reports", ".rally"):
        shutil.rmtree(lab.settings.root / folder, ignore_errors=True)
    if what:
        (lab.settings.root / what).write_text("in the way", encoding="utf-8")

    done = run(lab, largest_file)

    if what:
        (lab.settings.root / what).unlink()
    assert code == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    assert "hint: " in done.stderr
    told = " ".join(done.stderr.split())
    assert re.search(telling, told), told
    published = lab.published()
    assert live == lab.in_words(published)
    document = json.loads(done.stdout) if done.stdout else {}
    assert [] == [*lab.look(document, published), *lab.go_on(published)]
