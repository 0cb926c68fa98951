"""The control group of this process, in version 2 or 1: its use and its limits of CPU and memory.

Every figure is None if the kernel does not provide it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
SELF = Path("/proc/self/cgroup")
# Set in every process of `verdict run` (local.home): they share one control group with the servers and the shell.
SHARED_BY = "VERDICT_RUN"
_SESSION = re.compile(r"/session-\w+\.scope(/|$)")  # of a login session
UNLIMITED = 2**60  # version 1 shows about 2**63 without a limit


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The folders with the figures: one in version 2, one for each controller in version 1."""

    unified: Path
    cpu: Path
    cpuacct: Path
    memory: Path
    is_shared: bool  # with unrelated processes, so that the figures of the group say nothing about this one

    @classmethod
    def of_this_process(cls, root: Path = ROOT, own: Path = SELF) -> "Cgroup":
        """Return the control group that the kernel names; in a container it often looks like the root."""
        paths = dict(_paths(own))
        return cls(
            unified=_folder(root, paths.get("", "/")),
            **{each: _folder(root / each, paths.get(each, "/")) for each in ("cpu", "cpuacct", "memory")},
            is_shared=SHARED_BY in os.environ or any(map(_SESSION.search, paths.values())),
        )

    def cpu_seconds(self) -> float | None:
        """Return the CPU time used so far."""
        if (microseconds := _field(self.unified / "cpu.stat", "usage_usec")) is not None:
            return microseconds / 1e6
        nanoseconds = _number(self.cpuacct / "cpuacct.usage")
        return None if nanoseconds is None else nanoseconds / 1e9

    def memory_used(self) -> int | None:
        """Return the bytes in use without inactive file cache, which the kernel drops before it refuses memory."""
        used, cache = _number(self.unified / "memory.current"), _field(self.unified / "memory.stat", "inactive_file")
        if used is None:
            used = _number(self.memory / "memory.usage_in_bytes")
            cache = _field(self.memory / "memory.stat", "total_inactive_file")
        return None if used is None else max(0, used - (cache or 0))

    def memory_limit(self) -> int | None:
        """Return the memory limit in bytes: the lowest on the way to the root."""
        found = [_number(each / "memory.max") for each in _upwards(self.unified)]
        found += [_number(each / "memory.limit_in_bytes") for each in _upwards(self.memory)]
        return min((each for each in found if each is not None and each < UNLIMITED), default=None)

    def cores_limit(self) -> float | None:
        """Return the CPU limit in cores: the lowest on the way to the root."""
        found = [_quota(_words(each / "cpu.max")) for each in _upwards(self.unified)]
        found += [
            _quota(_words(each / "cpu.cfs_quota_us") + _words(each / "cpu.cfs_period_us"))
            for each in _upwards(self.cpu)
        ]
        return min((each for each in found if each is not None), default=None)


def _paths(own: Path) -> Iterator[tuple[str, str]]:
    """Yield controllers and their paths; the controller of version 2 has an empty name."""
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, path


def _folder(root: Path, path: str) -> Path:
    inside = root / path.lstrip("/")
    return inside if inside.is_dir() else root


def _upwards(folder: Path) -> list[Path]:
    """Return the folder and its parents, whose limits apply as well."""
    return [folder, *folder.parents]


def _quota(words: list[str]) -> float | None:
    match words:
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
        case _:
            return None  # max, -1, or no such file


def _field(path: Path, name: str) -> int | None:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdigit():
            return int(value)
    return None


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].isdigit() else None


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
