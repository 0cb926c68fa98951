"""Read the YAML of a recipe or a step, apply overrides and check the result."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from training.errors import TrainingError

C = TypeVar("C", bound=BaseModel)
# The keys that lead to a setting, and its value.
Override = tuple[tuple[str, ...], object]


def load_config(path: Path, kind: type[C], overrides: Sequence[str] = ()) -> C:
    """Read a YAML file, apply `key=value` overrides, whose values are YAML too, and validate the result."""
    values = read_values(path)
    for keys, value in map(parse_override, overrides):
        lay_over(values, keys, value)
    return checked(kind, values)


def read_values(path: Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise TrainingError(f"Cannot read {path}: {exc.strerror}.") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise TrainingError(f"{path} is not valid YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(values, dict):
        raise TrainingError(f"{path} must hold key: value lines.")
    return values


def parse_override(item: str) -> Override:
    """Return the keys and the value of `key=value`; `loss.kind=class` goes one level down, `training.` is `train.`."""
    key, separator, value = item.partition("=")
    keys = tuple(part.strip() for part in key.split("."))
    if len(keys) > 1 and keys[0] == "training":
        keys = ("train", *keys[1:])
    if not separator or not all(keys):
        raise TrainingError(f"An override is written key=value, not {item!r}.")
    try:
        return keys, yaml.safe_load(value)
    except yaml.YAMLError as exc:
        raise TrainingError(f"The value of {key.strip()} is not valid YAML: {value!r}.") from exc


def lay_over(values: dict[str, Any], keys: Sequence[str], value: object) -> None:
    """Set the value at the place that the keys lead to; its neighbours are unchanged."""
    *outer, last = keys
    for key in outer:
        if not isinstance(values.get(key), dict):
            values[key] = {}
        values = values[key]
    values[last] = value


def checked(kind: type[C], values: dict[str, Any]) -> C:
    """Return the validated settings, or raise `TrainingError` naming the first wrong one."""
    try:
        return kind.model_validate(values)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config"
        raise TrainingError(f"{where}: {first['msg']}.") from exc
