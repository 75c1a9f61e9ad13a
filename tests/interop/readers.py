"""Reads the files of a run with tools of others: readers.py RUN LOCUST, where LOCUST holds the files of a real Locust."""

import csv
import json
import os
import sys
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from junitparser import JUnitXml
from locust_csv2openmetrics import main as csv2openmetrics
from lysiro_report.parse import JtlFormatError, read as read_samples

run, locust = Path(sys.argv[1]), Path(sys.argv[2])
data = json.loads((run / "run/run.json").read_text())
total = data["total"]


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def kind(cell):
    """What a program can parse a cell as."""
    for parse, name in ((int, "int"), (float, "float")):
        try:
            parse(cell)
            return name
        except ValueError:
            pass
    return "text"


def locust_files():
    """The same columns in the same order, and whole numbers where Locust writes them."""
    for name in ("stats", "stats_history", "failures", "exceptions"):
        theirs, ours = locust / f"locust_{name}.csv", run / f"locust_{name}.csv"
        header = [path.read_text().splitlines()[0] for path in (theirs, ours)]
        assert header[0] == header[1], f"{name}: {header}"
        whole = set(header[0].split(","))
        for row in rows(theirs):
            whole = {column for column in whole if kind(row[column]) in ("int", "text") and row[column] != ""}
            whole = {column for column in whole if kind(row[column]) == "int" or row[column] == "N/A"}
        for row in rows(ours):
            for column in whole:
                assert row[column] == "N/A" or kind(row[column]) == "int", f"{name}: {column} is {row[column]}"
        if name == "stats":
            assert {"Request Count", "Median Response Time", "50%", "95%", "99.99%", "100%"} <= whole, whole
            assert "Average Response Time" not in whole and "Requests/s" not in whole, whole
    assert rows(run / "locust_stats.csv")[-1]["Name"] == rows(locust / "locust_stats.csv")[-1]["Name"] == "Aggregated"


def openmetrics():
    """locust-csv2openmetrics: the row of all requests as OpenMetrics."""
    out = run / "openmetrics.txt"
    csv2openmetrics([str(run / "locust_stats.csv"), "-o", str(out)])
    values = dict(line.rsplit(" ", 1) for line in out.read_text().splitlines() if not line.startswith("#"))
    latency = total["latency_ms"] or {"p50": 0, "p95": 0}
    for percentile in ("p50", "p95"):
        told = float(values[f"locust_response_time_{percentile}_seconds"])
        assert abs(told * 1000 - latency[percentile]) <= 0.5, (percentile, told, latency)
    assert abs(float(values["locust_failures_ratio"]) - (total["failed_share"] or 0)) < 1e-9, values


def samples():
    """lysiro: every sample of --out json."""
    try:
        read = read_samples(str(run / "samples.json"))
    except JtlFormatError:
        assert total["requests"] == 0
        return
    assert read.total_samples == total["requests"], (read.total_samples, total["requests"])
    assert read.malformed_rows == 0
    told = {
        name: {row["name"] for row in rows(run / "samples.csv") if row["metric_name"] == "http_reqs"}
        for name in ("csv",)
    }
    assert told["csv"] == {endpoint["name"] for endpoint in data["endpoints"]}, told


def k6_tags():
    """The tags that k6 sets by default."""
    points = [json.loads(line) for line in (run / "samples.json").read_text().splitlines()]
    tags = [point["data"]["tags"] for point in points if point.get("metric") == "http_reqs" and point["type"] == "Point"]
    for tag in tags:
        wanted = {"scenario", "group", "method", "name", "url", "status", "expected_response", "proto"}
        assert wanted <= set(tag), tag
        assert tag["proto"] == "HTTP/1.1" and (tag["group"] == "" or tag["group"].startswith("::")), tag
        status = int(tag["status"])
        assert tag.get("error_code") == (str(1000 + status) if status >= 400 else None), tag
    in_csv = [row for row in rows(run / "samples.csv") if row["metric_name"] == "http_reqs"]
    assert sorted((tag["group"], tag["url"]) for tag in tags) == sorted((row["group"], row["url"]) for row in in_csv)


def junit():
    """junitparser: --junit."""
    xml = JUnitXml.fromfile(str(run / "junit.xml"))
    cases = [case for suite in xml for case in suite]
    bad = [case for case in cases if any(result.__class__.__name__ in ("Failure", "Error") for result in case.result)]
    assert (len(cases), len(bad)) == (xml.tests, xml.failures + xml.errors), (len(cases), len(bad), xml.tests)
    assert bool(bad) != data["verdict"]["passed"], data["verdict"]


def interval_log():
    """hdrhistogram: latency.hlog."""
    # The file of the whole run; each line of these tags is one interval.
    sums = {}
    text = (run / "run/latency.hlog").read_text()
    for tag in ("ok|all", "failed|all"):
        lines = [line for line in text.splitlines() if not line.startswith("Tag=") or line.startswith(f"Tag={tag},")]
        part = run / "part.hlog"
        part.write_text("\n".join(lines) + "\n")
        reader = HistogramLogReader(str(part), HdrHistogram(1, 3_600_000_000, 3))
        sums[tag] = 0
        while (histogram := reader.get_next_interval_histogram()) is not None:
            sums[tag] += histogram.get_total_count()
        reader.close()
    assert sums == {"ok|all": total["requests"] - total["failures"], "failed|all": total["failures"]}, sums


os.chdir(run)
for check in (locust_files, openmetrics, samples, k6_tags, junit, interval_log):
    check()
