"""Files that wait for a watch: names only, each taken once, those still written again and again."""

import os

import pytest

from pipeline_manager.waiting import Waiting

pytestmark = pytest.mark.fast
ALL = 1 << 40


def written(folder, name, text="x"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_is_taken_once_until_it_changes(tmp_path):
    path, waiting = written(tmp_path, "a"), Waiting()
    waiting.add([path, path])
    assert waiting.ready(10, ALL) == [path]
    waiting.done(path)
    waiting.add([path])
    waiting.add_unseen([path])
    assert waiting.ready(10, ALL) == []
    written(tmp_path, "a", "longer")
    waiting.add_unseen([path])
    assert waiting.ready(10, ALL) == [path]


def test_a_file_that_changes_while_it_is_taken_is_taken_again(tmp_path):
    path, waiting = written(tmp_path, "a"), Waiting()
    waiting.add([path])
    assert waiting.ready(10, ALL) == [path]
    written(tmp_path, "a", "more came")
    waiting.done(path)
    waiting.add_unseen([path])
    assert waiting.ready(10, ALL) == [path]


def test_what_was_there_before_is_known_and_what_is_gone_is_forgotten(tmp_path):
    old, gone, waiting = written(tmp_path, "old"), written(tmp_path, "gone"), Waiting()
    waiting.remember([[old]])
    waiting.add_unseen([old])
    waiting.add([gone])
    gone.unlink()
    assert waiting.ready(10, ALL) == []
    assert len(waiting) == 0


def test_a_batch_holds_so_many_files_and_bytes_and_never_none(tmp_path):
    paths, waiting = [written(tmp_path, name, "12345") for name in "abc"], Waiting()
    waiting.add(paths)
    assert waiting.ready(2, ALL) == paths[:2]
    assert waiting.ready(10, 11) == paths[:2]
    assert waiting.ready(10, 1) == paths[:1]


def test_a_file_that_is_still_written_waits_longer_each_time(tmp_path):
    path, waiting = written(tmp_path, "a"), Waiting()
    waiting.add([path])
    pauses = []
    for _ in range(8):
        waiting.try_later(path)
        assert waiting.ready(10, ALL) == []
        pauses.append(round(waiting.seconds_to_next(), 1))
    assert pauses == sorted(pauses)
    assert 0.5 < pauses[-1] <= 1.0
    os.utime(path, (0, 0))
    waiting.put_back([path], 0.0)
    assert waiting.ready(10, ALL) == [path]
