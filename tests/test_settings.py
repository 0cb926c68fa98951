"""Settings come from the environment, and a wrong one is refused by name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from settings import ApiSettings, DatabaseSettings, QueueSettings, WorkerSettings


def test_a_setting_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_REVIEWS", "7")
    assert ApiSettings().max_reviews == 7


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert ApiSettings().port == 8000


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("PORT", "http"), ("MAX_WAIT_SECONDS", "0"), ("MAX_REVIEWS", "0")]
)
def test_a_value_out_of_range_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        ApiSettings()


def test_the_address_of_the_database_has_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ValidationError, match="database_url"):
        DatabaseSettings()


def test_the_address_of_redis_has_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ValidationError, match="redis_url"):
        QueueSettings()


def test_settings_do_not_change() -> None:
    settings = ApiSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # mypy knows it too


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [(["1"], "1"), (["9", "10"], "10"), (["1.9", "1.10"], "1.10"), (["draft", "2"], "2"), ([], "")],
)
def test_the_newest_version_of_the_model_is_served(tmp_path: Path, versions: list[str], chosen: str) -> None:
    for version in versions:
        (tmp_path / "default" / version).mkdir(parents=True)
    assert WorkerSettings(models_dir=tmp_path).model_directory() == tmp_path / "default" / chosen


def test_the_version_that_is_asked_for_is_served(tmp_path: Path) -> None:
    (tmp_path / "default" / "2").mkdir(parents=True)
    assert WorkerSettings(models_dir=tmp_path, model_version="1").model_directory() == tmp_path / "default" / "1"
