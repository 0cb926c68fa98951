from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.users.reconcile import compare, from_recording, from_samples
from benchmarks.users.recording import Recording
from benchmarks.users.user_model import Phase, Plan, VisitKind
from tests.benchmarks.user_visits import answered, failed, left

PAGE = """\
# HELP verdict_http_requests_total r
# TYPE verdict_http_requests_total counter
verdict_http_requests_total{method="POST",route="/v1/jobs",status="202"} 5.0
verdict_http_requests_total{method="GET",route="/metrics",status="200"} 9.0
# HELP verdict_results_total r
# TYPE verdict_results_total counter
verdict_results_total{lane="bulk",status="failed",reason="exhausted"} 1.0
verdict_results_total{lane="bulk",status="failed",reason="invalid"} 2.0
# HELP verdict_result_seconds s
# TYPE verdict_result_seconds histogram
verdict_result_seconds_bucket{lane="bulk",model="default",le="+Inf"} 4.0
verdict_result_seconds_count{lane="bulk",model="default"} 4.0
verdict_result_seconds_sum{lane="bulk",model="default"} 2.5
# HELP verdict_shed_total s
# TYPE verdict_shed_total counter
verdict_shed_total{lane="bulk",reason="wait"} 1.0
verdict_shed_total{lane="interactive",reason="wait"} 2.0
"""


def test_metrics_are_summed_over_labels_that_only_they_have() -> None:
    found = from_samples(
        (each.name, each.labels, each.value)
        for family in text_string_to_metric_families(PAGE)
        for each in family.samples
    )
    assert found == {
        "requests POST /v1/jobs 202": 5,
        "results bulk failed": 3,
        "reviews judged bulk": 4,
        "seconds to result bulk": 2.5,
        "shed": 3,
    }


def test_the_counts_of_the_load_generator() -> None:
    recording = Recording(Plan(1, "people", [Phase(1, 1)]), "")
    recording.requests = Counter({("POST", "/v1/jobs", 202): 2, ("POST", "/v1/jobs", 429): 1})
    recording.visits = [
        answered(0, 1),
        answered(0, 1, kind=VisitKind.BATCH, rows=9, succeeded=8, failed=1),
        left(0),
        failed(0),
    ]
    assert from_recording(recording) == {
        "requests POST /v1/jobs 202": 2,
        "requests POST /v1/jobs 429": 1,
        "shed": 1,
        "jobs interactive": 2,
        "rows interactive": 10,
        "results interactive succeeded": 9,
        "results interactive failed": 1,
    }


def test_three_sides_are_compared_to_the_unit() -> None:
    load = Counter({"jobs bulk": 3, "shed": 2})
    metrics = Counter({"jobs bulk": 3, "shed": 2, "reviews judged bulk": 7, "seconds to result bulk": 1})
    lines = {line.what: line for line in compare(load, metrics, Counter({"jobs bulk": 4, "shed": 2}))}
    assert set(lines) == {"jobs bulk", "shed", "reviews judged bulk"}
    assert lines["shed"].equal
    assert not lines["jobs bulk"].equal
    assert lines["reviews judged bulk"].load is None  # the generator does not know which texts are equal
    assert not lines["reviews judged bulk"].equal


def test_an_absent_side_is_no_difference() -> None:
    [line] = compare(Counter({"jobs bulk": 3}), None, Counter({"jobs bulk": 3}))
    assert (line.metrics, line.equal) == (None, True)
