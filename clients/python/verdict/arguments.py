"""Checks of arguments before anything is sent; each TypeError or ValueError names the argument and its value."""

import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, SupportsFloat

from verdict.schemas import Job, Review

KEY = re.compile(r"[!-~]{1,255}")


def text(value: object, name: str) -> str:
    """Return `value` if it is a str that UTF-8 can encode."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {_described(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} holds {value[error.start]!r}, a lone surrogate, which UTF-8 cannot encode") from error
    return value


def texts(reviews: object) -> list[dict[str, str]]:
    """Return reviews as the API takes them: a list of at least one object with `text` and, if given, `id`."""
    if isinstance(reviews, str):
        raise TypeError("reviews must be a sequence of texts, not one text")
    if isinstance(reviews, (bytes, bytearray, memoryview, Mapping)) or not isinstance(reviews, Iterable):
        raise TypeError(f"reviews must be a sequence of texts or Reviews, not {_described(reviews)}")
    found = [_review(review, f"reviews[{place}]") for place, review in enumerate(reviews)]
    if not found:
        raise ValueError("reviews is empty; a job needs at least one")
    return found


def _review(review: object, name: str) -> dict[str, str]:
    if not isinstance(review, Review):
        return {"text": text(review, name)}
    caller_id = {} if review.id is None else {"id": text(review.id, f"{name}.id")}
    return {"text": text(review.text, f"{name}.text")} | caller_id


def seconds(value: object, name: str, *, may_be_infinite: bool = False) -> float:
    """Return a number of seconds, at least 0."""
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        raise TypeError(f"{name} must be a number of seconds, not {_described(value)}")
    number = float(value)
    if math.isnan(number) or number < 0 or (math.isinf(number) and not may_be_infinite):
        raise ValueError(f"{name} must be a number of seconds from 0 on, not {number}")
    return value if isinstance(value, int) else number  # 5 stays 5 in a query


def count(value: object, name: str) -> int:
    """Return a whole number; its range is the service's business."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {_described(value)}")
    return value


def key(value: object) -> str:
    """Return an idempotency key that fits into a header."""
    if not isinstance(value, str):
        raise TypeError(f"idempotency_key must be a str, not {_described(value)}")
    if not KEY.fullmatch(value):
        raise ValueError("idempotency_key must be 1 to 255 visible ASCII characters")
    return value


def metadata(value: object) -> Mapping[str, Any]:
    """Return a mapping that JSON can represent."""
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata must be a dict, not {_described(value)}")
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except TypeError as error:
        raise TypeError(f"metadata must be JSON: {error}") from error
    except ValueError as error:  # NaN, a circle, a lone surrogate
        raise ValueError(f"metadata must be JSON: {error}") from error
    return value


def job_id(job: object) -> str:
    """Return the id of a job that is given as itself or by its id."""
    found = job.id if isinstance(job, Job) else job
    if not isinstance(found, str):
        raise TypeError(f"job must be a Job or its id, not {_described(job)}")
    if not found:
        raise ValueError("job must be a Job or its id, not an empty str")
    return text(found, "job")


def source(value: object) -> None:
    """Check a file to submit: a path, an open binary file, or an iterable of bytes."""
    if isinstance(value, io.TextIOBase):
        raise TypeError("source is open as text; open it with mode 'rb'")
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"source must be a file, not {type(value).__name__}; wrap it as io.BytesIO(…)")
    is_file = isinstance(value, (str, os.PathLike)) or hasattr(value, "read")
    if not is_file and (isinstance(value, Mapping) or not isinstance(value, Iterable)):
        raise TypeError(f"source must be a path, an open binary file or chunks of bytes, not {_described(value)}")


def destination(value: object) -> None:
    """Check a file to write results to: a path or an open binary file."""
    if isinstance(value, io.TextIOBase):
        raise TypeError("destination is open as text; open it with mode 'wb'")
    if not isinstance(value, (str, os.PathLike)) and not hasattr(value, "write"):
        raise TypeError(f"destination must be a path or an open binary file, not {_described(value)}")


def chunk(value: object) -> bytes:
    """Return a piece of a file that is sent."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    hint = "; open the file with mode 'rb'" if isinstance(value, str) else ""
    raise TypeError(f"source must give bytes, not {_described(value)}{hint}")


def _described(value: object) -> str:
    """Return the type of a value; None and NaN, which stand for missing values, as themselves."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return str(value)
    return type(value).__name__
