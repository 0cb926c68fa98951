"""The users as Locust runs them: each makes its visits on time and records them.

`locust -f benchmarks/users/locustfile.py --host http://127.0.0.1:8000 --users 500 --spawn-rate 500 --phases 60:600`,
with Locust's own page or `--headless`. All users share one process, whose CPU time is recorded as well.
"""

import gc
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from locust import FastHttpUser, constant, events, task

from benchmarks.common.review_texts import read_reviews
from benchmarks.users import recording
from benchmarks.users.callers import Reply, visit
from benchmarks.users.recording import Recording
from benchmarks.users.user_model import MIXES, ROWS, Plan, VisitKind, dealt, phases_of

TEXTS = 20_000
LAG_SECONDS = 0.05
STOP_SECONDS = 90  # longer than any answer may take, so that no visit is cut off
HEADERS = {"Accept-Encoding": "identity"}


class Run:
    """The state that all users share."""

    def __init__(self, options: Any) -> None:
        plan = Plan(options.num_users or 1, options.mix, phases_of(options.phases))
        self.texts, source = read_reviews(Path(options.dataset), TEXTS, options.seed)
        self.recording = Recording(plan, source)
        self.draw = random.Random(options.seed)
        self.kinds: Iterator[VisitKind] = dealt(MIXES[plan.mix], self.draw)
        self.returning: float = options.returning
        self.began, self.stopping = Event(), Event()
        self._zero = self._cpu = 0.0

    @property
    def plan(self) -> Plan:
        return self.recording.plan

    def begin(self) -> None:
        self._zero, self._cpu = time.perf_counter(), time.process_time()
        self.recording.began_at = time.time()
        self.began.set()

    def end(self) -> None:
        self.recording.cpu_seconds = time.process_time() - self._cpu

    def now(self) -> float:
        return time.perf_counter() - self._zero

    def watch_lag(self) -> None:
        while not self.stopping.is_set():
            due = time.perf_counter() + LAG_SECONDS
            gevent.sleep(LAG_SECONDS)
            self.recording.lag_ms.append(round((time.perf_counter() - due) * 1000, 2))


class Person(FastHttpUser):
    """A user that starts its visits at the times of the plan."""

    wait_time = constant(0)  # the plan sets the times
    network_timeout = 60.0
    concurrency = 1
    run_shared: Run

    def on_start(self) -> None:
        """Wait until all users are there, and draw the time of the first visit."""
        run = self.run_shared
        run.began.wait()
        self.due = run.plan.first(run.draw)

    @task
    def come(self) -> None:
        """Make one visit when it is due."""
        run = self.run_shared
        if not self.pause(self.due - run.now()):
            return
        start, kind = self.due, next(run.kinds)
        texts = run.draw.sample(run.texts, run.draw.randint(*ROWS[kind]))
        run.recording.visits.append(visit(kind, texts, self, patient=run.draw.random() < run.returning))
        self.due = run.plan.following(start, run.now(), run.draw)

    def send(self, method: str, path: str, route: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send one request; a refusal (429) counts as an answer, not as a failure, in Locust's own table too."""
        run = self.run_shared
        with self.client.request(
            method, path, name=route, data=cast("str", body), headers={**HEADERS, **headers}, catch_response=True
        ) as response:
            if response.status_code == 429:
                response.success()
            run.recording.requests[method, route, response.status_code] += 1
            if response.status_code == 0:
                return Reply(0, {}, repr(response.error).encode())
            found = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, found, bytes(response.content or b""))

    def pause(self, seconds: float) -> bool:
        """Wait; return False if the run has ended."""
        return not self.run_shared.stopping.wait(max(seconds, 0)) and not self.run_shared.stopping.is_set()

    def now(self) -> float:
        """Return the seconds since the run began."""
        return self.run_shared.now()


def _options(parser: Any) -> None:
    parser.add_argument("--phases", default="10:60", help="Reviews a second and seconds, e.g. 60:60,180:300,60:60")
    parser.add_argument("--mix", default="people", choices=list(MIXES), help="Mix of visits")
    parser.add_argument("--returning", type=float, default=1.0, help="Share of refused users that retry")
    parser.add_argument("--dataset", default="../shared/data/imdb/unsup.parquet", help="Parquet with a column `text`")
    parser.add_argument("--seed", type=int, default=0, help="Seed of everything random")
    parser.add_argument("--records", default="", help="File for the recording")


def _init(environment: Any, **_: Any) -> None:
    environment.stop_timeout = environment.stop_timeout or STOP_SECONDS
    environment.events.test_start.add_listener(_start)
    environment.events.spawning_complete.add_listener(lambda **_: _spawned(environment))
    environment.events.test_stopping.add_listener(_stopping)
    environment.events.test_stop.add_listener(_stop)


def _start(environment: Any, **_: Any) -> None:
    Person.run_shared = Run(environment.parsed_options)


def _spawned(environment: Any) -> None:
    run = Person.run_shared
    gc.freeze()  # keeps texts and users out of every garbage collection
    run.begin()
    gevent.spawn(run.watch_lag)
    gevent.spawn_later(run.plan.seconds, environment.runner.quit)


def _stopping(**_: Any) -> None:
    Person.run_shared.stopping.set()
    Person.run_shared.began.set()  # releases users that still wait to begin


def _stop(environment: Any, **_: Any) -> None:
    run = Person.run_shared
    run.end()
    run.recording.errors = [str(each["msg"]) for each in environment.runner.exceptions.values()]
    if environment.parsed_options.records:
        recording.write(run.recording, Path(environment.parsed_options.records))


events.init_command_line_parser.add_listener(_options)  # type: ignore[no-untyped-call]
events.init.add_listener(_init)  # type: ignore[no-untyped-call]
