"""The rules of the checks in Great Expectations or in Soda Core: run by `make bench-checks` in their own environment.

Nothing of the product is imported here: those two need other versions of its libraries. A job comes as JSON on standard
input, an answer goes to standard output: seconds, failing rows by rule, and the version.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path


def great_expectations(job: dict) -> dict:
    """Each rule as an `UnexpectedRowsExpectation`, all in one suite."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
    address = "postgresql+psycopg2://{user}@{host}:{port}/{database}".format(**job)
    source = context.data_sources.add_postgres("live", connection_string=address)
    batch = source.add_table_asset("leagues", table_name="leagues").add_batch_definition_whole_table("all")
    suite = gx.ExpectationSuite(name="checks")
    for rule in job["rules"]:
        # it is put into brackets on one line, where a comment at its end would swallow the closing one
        query = re.sub(r"--[^\n]*", "", rule["sql"]).replace("{", "{{").replace("}", "}}")
        suite.add_expectation(
            gx.expectations.UnexpectedRowsExpectation(unexpected_rows_query=query, meta={"name": rule["name"]})
        )
    started = time.perf_counter()
    result = batch.get_batch().validate(suite, result_format="COMPLETE")
    seconds = time.perf_counter() - started
    counts = {}
    for each in result.results:
        name = each.expectation_config.meta["name"]
        # a query that cannot run is "success: False" with an empty result
        counts[name] = each.result.get("observed_value", f"errored: {_said(each.exception_info)}")
    return {"seconds": seconds, "counts": counts, "version": version("great_expectations")}


def _said(exception_info: dict) -> str:
    """The messages of what went wrong, without the traces."""
    parts = exception_info.values() if "exception_message" not in exception_info else [exception_info]
    return " ".join(str(part.get("exception_message")) for part in parts if isinstance(part, dict))[:500]


def soda(job: dict) -> dict:
    """Each rule as a check of failed rows with its own query, all in one scan."""
    home = Path(tempfile.mkdtemp(prefix="rally-soda-"))
    (home / ".soda").mkdir()
    (home / ".soda" / "config.yml").write_text("send_anonymous_usage_stats: false\n", encoding="utf-8")
    os.environ["HOME"] = str(home)
    from soda.scan import Scan

    scan = Scan()
    scan.set_data_source_name("live")
    scan.add_configuration_yaml_str(
        "data_source live:\n  type: postgres\n  schema: public\n"
        + "".join(f"  {name}: {value}\n" for name, value in (
            ("host", job["host"]), ("port", job["port"]), ("username", job["user"]), ("password", "none"),
            ("database", job["database"])))
    )  # fmt: skip
    lines = ["checks for leagues:"]
    for rule in job["rules"]:
        query = "\n".join(f"        {line}" for line in rule["sql"].splitlines())
        lines.append(f'  - failed rows:\n      name: "{rule["name"]}"\n      fail query: |\n{query}')
    scan.add_sodacl_yaml_str("\n".join(lines) + "\n")
    started = time.perf_counter()
    scan.execute()
    seconds = time.perf_counter() - started
    counts = {check.name: check.check_value for check in scan._checks}
    if scan.has_error_logs():
        counts["errors"] = scan.get_error_logs_text()
    return {"seconds": seconds, "counts": counts, "version": version("soda-core")}


def main() -> None:
    """Answer one job; what the libraries print goes to standard error."""
    job = json.load(sys.stdin)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        answer = {"great_expectations": great_expectations, "soda": soda}[sys.argv[1]](job)
    sys.stderr.write(said.getvalue())
    print(json.dumps(answer, default=str))


if __name__ == "__main__":
    main()
