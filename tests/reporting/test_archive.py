"""The archive of reports: complete, chained, and honest about what was touched."""

from __future__ import annotations

import json
import re

import pytest

from rally_etl.reporting import verify_reports, write_report
from rally_etl.reporting.archive import LOG


@pytest.fixture
def report(engine, settings, finished_run, document):
    """Two reports, the second of the same run (as after an approval); answers the folder."""
    write_report(engine, settings, finished_run, document)
    return write_report(engine, settings, finished_run, document).parent


def test_untouched_archive_has_no_problems(report, settings):
    """What was just written verifies, also by run."""
    assert [] == verify_reports(settings)
    assert [] == verify_reports(settings, report.name)


def test_manifest_names_every_file_and_its_predecessor(report, settings):
    """The manifest hashes files, sources and params, and continues the chain."""
    manifest = json.loads((report / "manifest.json").read_text(encoding="utf-8"))

    assert {"index.html", "run.json", "metrics.json", "plotly.min.js", "manifest.1.json"} == manifest["files"].keys()
    assert "APTA_CHICAGO/players" in manifest["sources"]
    assert manifest["params"].keys() == {
        path.relative_to(settings.params_dir).as_posix() for path in settings.params_dir.rglob("*") if path.is_file()
    }
    assert f"{report.name}/manifest.1.json" == (settings.reports_dir / LOG).read_text().splitlines()[0][66:]
    assert (settings.reports_dir / LOG).read_text()[:64] == manifest["previous"]["sha256"]


@pytest.mark.parametrize(
    ("touch", "says"),
    [
        (lambda folder: (folder / "index.html").write_text("x"), "index.html was changed"),
        (lambda folder: (folder / "run.json").unlink(), "run.json is gone"),
        (lambda folder: (folder / "extra.txt").write_text("x"), "extra.txt was added"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "manifest.json was changed"),
        (lambda folder: (folder / "manifest.1.json").unlink(), "manifest.1.json is gone"),
    ],
)
def test_every_touch_is_found(report, settings, touch, says):
    """A changed, removed or added file is named."""
    touch(report)

    assert any(says in problem for problem in verify_reports(settings))


def test_broken_chain_is_found(report, settings):
    """A line taken out of the log breaks the chain."""
    log = settings.reports_dir / LOG
    log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]))

    assert any("chain is broken" in problem for problem in verify_reports(settings))


def test_unknown_run_is_a_problem(report, settings):
    """Verifying a run that was never archived is not silence."""
    assert ["run nope is not in the archive: manifests.sha256 does not name it"] == verify_reports(settings, "nope")


def test_list_of_runs_links_the_report(report, settings):
    """The list names the run, its decision and its leagues."""
    text = (settings.reports_dir / "index.html").read_text(encoding="utf-8")

    assert f'href="{report.name}/index.html"' in text
    assert "NO-GO" in text
    assert "APTA_CHICAGO" in text


def test_list_of_runs_counts_their_changes(report, settings):
    """Inserts, updates and deactivations of all leagues, without what stays as it is."""
    text = (settings.reports_dir / "index.html").read_text(encoding="utf-8")
    document = json.loads((report / "run.json").read_text(encoding="utf-8"))
    counts = [counts for league in document["leagues"].values() for counts in league["plan"].values()]
    changes = sum(found["insert"] + found["update"] + found["deactivate"] for found in counts)

    assert changes > 1000
    assert f'<td class="num">{changes:,}</td>' in text


def test_plan_table_leaves_out_what_does_not_change(report):
    """A league's tables without a change are one last row; a league without any change shows them all."""
    text = (report / "index.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text.split('id="plan"')[1].split("</section>")[0], re.S)
    rows = [" ".join(re.findall(r">([^<>]+)<", row)).split() for row in rows]

    assert ["APTA_CHICAGO", "teams", "1", "2", "1", "490"] in rows
    assert ["other", "tables:", "unchanged", "77"] in rows
    assert ["CITA", "teams", "0", "0", "0", "12"] in rows
    assert [] == [row for row in rows if "clubs" in row]
