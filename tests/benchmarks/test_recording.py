from collections import Counter
from pathlib import Path

from benchmarks.users import recording
from benchmarks.users.recording import Recording
from benchmarks.users.user_model import Phase, Plan
from tests.benchmarks.user_visits import answered, failed, refused


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    seen = Recording(Plan(5, "people", [Phase(3, 10), Phase(9, 1.5)]), "some.parquet", began_at=1795324325.5)
    seen.visits = [answered(0, 0.25), refused(1, told=2, waited=2.5), failed(3, "503")]
    seen.requests = Counter({("POST", "/v1/jobs", 200): 2, ("GET", "/v1/jobs/{job_id}", 0): 1})
    seen.lag_ms, seen.cpu_seconds, seen.errors = [0.5, 1.5], 0.75, ["bad"]
    recording.write(seen, tmp_path / "records.json")
    assert recording.read(tmp_path / "records.json") == seen
