"""Which contracts and which inbox a command takes when it is given none, or one of them."""

import pytest

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import SilentProgress
from etl_pipeline.core.settings import Settings
from pipeline_manager.demo import FEEDS, demo_options, feeds_in_use

pytestmark = pytest.mark.fast


@pytest.fixture
def settings(tmp_path):
    for name in ("mine", "other", "senders", "elsewhere", "home/inbox"):
        (tmp_path / name).mkdir(parents=True)
    return Settings(tmp_path / "home", feeds=tmp_path / "mine", senders=tmp_path / "senders")


def asked(settings, feeds=None, inbox=None):
    return demo_options(feeds, inbox, settings, SilentProgress())


def test_the_settings_stand_in_for_what_is_not_given(settings, tmp_path):
    assert asked(settings) == (tmp_path / "mine", tmp_path / "senders")
    assert asked(settings, inbox=tmp_path / "elsewhere") == (tmp_path / "mine", tmp_path / "elsewhere")
    assert feeds_in_use(None, settings) == tmp_path / "mine"
    assert feeds_in_use(None, Settings(tmp_path)) == FEEDS / "simulated"


def test_the_senders_folder_belongs_to_its_own_contracts_only(settings, tmp_path):
    assert asked(settings, feeds=tmp_path / "other") == (tmp_path / "other", tmp_path / "home" / "inbox")


def test_a_folder_that_is_not_there_is_named_with_what_to_do(settings, tmp_path):
    with pytest.raises(UsageError, match="SYSTOCK_INBOX"):
        asked(settings, inbox=tmp_path / "nowhere")
