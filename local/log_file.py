"""The log of one supervised process: limited in size, and searched for lines that a user should see."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_BYTES = 20_000_000
TAIL_BYTES = 8_192
LONGEST_ALARM = 300  # characters of a line that are shown; the file has all
BESIDE_THE_POINT = {"level", "event", "timestamp", "process", "logger", "exception"}

# Our own JSON logs, and the words of PostgreSQL and Python for fatal errors.
ALARM = re.compile(r'"level": ?"(warning|error|critical)"|\b(FATAL|PANIC|CRITICAL):|^Traceback ')


@dataclass(slots=True)
class LogFile:
    """A file that a process appends to; `new_alarms` continues at `offset`."""

    path: Path
    offset: int = -1

    def rotate(self) -> None:
        """Copy a large file beside and empty it; the process appends, so it can keep the file open."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size > LARGEST_BYTES:
            shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
            self.path.open("w").close()
            size = 0
        if self.offset < 0 or size < self.offset:
            self.offset = size

    def new_alarms(self) -> Iterator[str]:
        """Yield warnings and errors among the lines added since the last call."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                break  # an incomplete line
            self.offset += len(line)
            text = line.decode(errors="replace").rstrip()
            if ALARM.search(text):
                yield readable(text)
        if self.offset > LARGEST_BYTES:
            self.rotate()

    def last_line(self) -> str:
        """Return the last line that is not empty."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"


def readable(line: str) -> str:
    """Format a JSON log line as `level: event (field=value, …)`; other lines are unchanged."""
    try:
        entry = json.loads(line)
        point = f"{entry['level']}: {entry['event']}"
    except (ValueError, TypeError, KeyError):
        return line[:LONGEST_ALARM]
    fields = ", ".join(f"{name}={value}" for name, value in entry.items() if name not in BESIDE_THE_POINT)
    return " ".join(f"{point} ({fields})".removesuffix(" ()").split())[:LONGEST_ALARM]
