"""Hundreds of damaged files: each is loaded right or set aside with the right reason; nothing is lost or shifted.

SYSTOCK_WRITE_DOCS=1 puts what was measured into docs/damaged-files.md.
"""

import os

import pytest

from test.damage import page
from test.damage.judge import Verdict, judge
from test.damage.kinds import KINDS, corpus

SOME = 13
"""Each how many-th file is judged where all of them would take too long: prime to the number of feeds."""


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    return judge(corpus(), tmp_path_factory.mktemp("damaged"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_loaded_right_or_set_aside_with_the_right_reason(verdicts, kind):
    own = [verdict for verdict in verdicts if verdict.file.kind == kind]
    assert own
    assert {str(v.file): v.faults for v in own if v.faults} == {}


def test_nothing_is_lost_and_no_value_is_in_a_wrong_column(verdicts):
    assert len(verdicts) > 900
    assert sum(v.lost for v in verdicts) == 0
    assert sum(v.shifted for v in verdicts) == 0
    assert sum(len(v.facts) for v in verdicts) > 4000


def test_the_page_says_what_was_measured(verdicts):
    if os.environ.get("SYSTOCK_WRITE_DOCS"):
        page.write(verdicts)
    assert page.told() == page.table(verdicts)


def test_every_sentence_of_a_file_set_aside_says_what_to_do(verdicts):
    says = ("Ask ", "ask ", "Set ", "set ", "send ", "add ")
    sentences = {v.file_reason[1] for v in verdicts if v.file_reason}
    assert [sentence for sentence in sentences if not any(word in sentence for word in says)] == []


@pytest.mark.fast
def test_some_files_of_other_seeds_fare_no_worse(tmp_path):
    files = [file for seed in (1, 2) for file in list(corpus(seed))[seed::97]]
    assert {str(v.file): v.faults for v in judge(files, tmp_path) if v.faults} == {}


def test_what_becomes_of_a_file_does_not_depend_on_how_much_is_read_at_once(verdicts, tmp_path):
    some = [v for v in verdicts if v.file.case.number % SOME == 0]
    for again, before in zip(judge([v.file for v in some], tmp_path, chunk_bytes=61), some, strict=True):
        assert again.faults == []
        assert (again.fate, again.facts, again.file_reason) == (before.fate, before.facts, before.file_reason)
        assert sorted(again.aside) == sorted(before.aside)


@pytest.mark.fast
def test_the_same_number_gives_the_same_bytes():
    assert [(f.name, f.damaged.content) for f in corpus()] == [(f.name, f.damaged.content) for f in corpus()]
