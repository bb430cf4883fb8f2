"""Which files changed, asked of git with names that come from outside."""

import os
from pathlib import Path

import pytest

from etl_pipeline.core.errors import UsageError
from pipeline_manager.gates.changed import changed_files
from test.pipeline_manager.gates.small_repository import committed, git

pytestmark = pytest.mark.fast


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "old.sql").write_text("select 1\n", encoding="utf-8")
    (folder / "gone.sql").write_text("select 2\n", encoding="utf-8")
    return folder


def test_committed_uncommitted_new_and_lost_files_count_and_others_do_not(root):
    first = committed(root)
    (root / "committed\n::name.sql").write_text("select 3\n", encoding="utf-8")
    (root / "gone.sql").unlink()
    committed(root)
    (root / os.fsdecode(b"new-\xfc.sql")).write_text("select 4\n", encoding="utf-8")
    assert changed_files(root, first) == [
        Path("committed\n::name.sql"), Path("gone.sql"), Path(os.fsdecode(b"new-\xfc.sql")),
    ]  # fmt: skip
    assert changed_files(root, "HEAD") == [Path(os.fsdecode(b"new-\xfc.sql"))]


def test_what_others_did_on_the_main_branch_meanwhile_is_not_ours(root):
    committed(root)
    git(root, "switch", "--quiet", "--create", "ours")
    (root / "ours.sql").write_text("select 5\n", encoding="utf-8")
    committed(root)
    git(root, "switch", "--quiet", "main")
    (root / "theirs.sql").write_text("select 6\n", encoding="utf-8")
    committed(root)
    git(root, "switch", "--quiet", "ours")
    assert changed_files(root, "main") == [Path("ours.sql")]


def test_paths_are_relative_to_the_folder_that_is_looked_at(root):
    first = committed(root)
    (root / "inner").mkdir()
    (root / "inner/a.sql").write_text("select 7\n", encoding="utf-8")
    (root / "outer.sql").write_text("select 8\n", encoding="utf-8")
    committed(root)
    assert changed_files(root / "inner", first) == [Path("a.sql")]


@pytest.mark.parametrize(
    "since",
    ["0" * 40, "0" * 64, "", " ", "1234567890" * 4, "no-such-branch", "--output=stolen", "-c", "HEAD; touch stolen",
     "$(touch stolen)", "--upload-pack=touch stolen", "HEAD\n", "a\0b", "HEAD:old.sql", "^HEAD", "HEAD..main", "@{-1}"],
)  # fmt: skip
def test_a_new_branch_a_lost_commit_and_any_odd_text_mean_everything_and_do_nothing(root, since):
    committed(root)
    assert changed_files(root, since) in (None, [])
    assert sorted(path.name for path in root.iterdir()) == [".git", "gone.sql", "old.sql"]


def test_outside_of_a_work_tree_nobody_knows_what_changed(tmp_path):
    with pytest.raises(UsageError, match="no work tree"):
        changed_files(tmp_path, "HEAD")
