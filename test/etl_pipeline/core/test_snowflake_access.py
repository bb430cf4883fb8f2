"""How Snowflake is reached is read from a URL or the usual settings; secrets stay where they are."""

from pathlib import Path

import pytest

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.settings import load_settings, redact
from etl_pipeline.core.snowflake_access import snowflake_access

pytestmark = pytest.mark.fast
SETTINGS = {
    "SNOWFLAKE_ACCOUNT": "org-acc", "SNOWFLAKE_USER": "loader", "SNOWFLAKE_PASSWORD": "very secret word",
    "SNOWFLAKE_ROLE": "R", "SNOWFLAKE_WAREHOUSE": "W", "SNOWFLAKE_DATABASE": "STOCK",
}  # fmt: skip


def test_a_url_and_the_settings_say_the_same():
    url = "snowflake://loader:very%20secret%20word@org-acc/STOCK/ignored?warehouse=W&role=R"
    assert snowflake_access(url, {}) == snowflake_access(None, SETTINGS)


def test_a_url_may_leave_the_password_to_the_settings():
    found = snowflake_access("snowflake://loader@org-acc/STOCK", SETTINGS)
    assert found is not None
    assert found.arguments()["password"] == "very secret word"
    assert found.arguments()["network_timeout"] > 0


def test_each_missing_setting_is_named():
    with pytest.raises(UsageError, match=r"SNOWFLAKE_USER, SNOWFLAKE_DATABASE, SNOWFLAKE_PASSWORD .* are not set"):
        snowflake_access(None, {"SNOWFLAKE_ACCOUNT": "org-acc"})


def test_a_key_pair_goes_before_a_password(tmp_path: Path):
    key = tmp_path / "key.p8"
    key.write_text("-----BEGIN PRIVATE KEY-----")
    found = snowflake_access(None, SETTINGS | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(key)})
    assert found is not None
    arguments = found.arguments()
    assert arguments["private_key_file"] == str(key)
    assert "password" not in arguments


def test_a_key_that_is_not_there_is_told_by_its_name(tmp_path: Path):
    found = snowflake_access(None, SETTINGS | {"SNOWFLAKE_PRIVATE_KEY_PATH": str(tmp_path / "none.p8")})
    assert found is not None
    with pytest.raises(UsageError, match="no file is there"):
        found.arguments()


def test_secrets_are_neither_shown_nor_printed(tmp_path: Path):
    settings = load_settings(SETTINGS | {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "words of a key"}, tmp_path)
    assert "very secret word" not in repr(settings.serving)
    assert "words of a key" not in repr(settings.serving)
    assert redact("it said: very secret word, words of a key") == "it said: ***, ***"


def test_snowflake_serves_and_the_keeper_decides(tmp_path: Path):
    keeper = {"SYSTOCK_KEEPER_URL": "postgres://me@host/stock"}
    assert load_settings(SETTINGS | keeper, tmp_path).database_url == "postgresql://me@host/stock"
    by_url = load_settings({"SYSTOCK_DATABASE_URL": "snowflake://me:secret99@acc/db"}, tmp_path)
    assert by_url.database_url is None
    assert by_url.serving is not None


def test_postgresql_serves_where_it_is_named(tmp_path: Path):
    named = {"SYSTOCK_DATABASE_URL": "postgresql://me@host/stock"}
    assert load_settings(SETTINGS | named, tmp_path).serving is None
    assert load_settings(SETTINGS | {"SYSTOCK_ENGINE": "postgres"}, tmp_path).serving is None
