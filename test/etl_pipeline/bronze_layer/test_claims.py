"""Which feed claims a file: asked of one path, the answer is that of a listing."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_pipeline.bronze_layer.landing import claims, matching_files
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import UsageError

pytestmark = pytest.mark.fast
PARTS = st.sampled_from(["a", "b.csv", "c.txt", ".h", "a1.csv", "x.tmp"])
PATHS = st.sets(st.lists(PARTS, min_size=1, max_size=3).map("/".join), max_size=6)
PIECES = st.sampled_from(["*", "**", "*.csv", "a", "a?.csv", "[ab]*", "[!a]*", "c.txt"])
PATTERNS = st.lists(PIECES, min_size=1, max_size=3).map("/".join)


@given(PATHS, PATTERNS)
def test_a_file_is_claimed_exactly_when_a_listing_has_it(names, pattern):
    with tempfile.TemporaryDirectory() as folder:
        inbox = Path(folder)
        for name in sorted(names):
            path = inbox / name
            if not any(parent.is_file() for parent in path.parents) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        files = Files(pattern=pattern)
        everything = [path for path in inbox.rglob("*") if path.is_file()]
        # What `**` at the end means has changed from one Python to the next; contracts name files.
        if not pattern.endswith("**"):
            assert sorted(p for p in everything if claims(p, inbox, files)) == matching_files(inbox, files)


def test_nothing_outside_the_inbox_is_claimed(tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "other.csv").touch()
    assert not claims(tmp_path / "other.csv", inbox, Files(pattern="**/*.csv"))
    with pytest.raises(UsageError):
        claims(inbox / "a.csv", inbox, Files(pattern="../*.csv"))
