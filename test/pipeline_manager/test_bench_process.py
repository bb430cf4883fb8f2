"""What a process used is its own, whatever the one that started it holds."""

import os
import sys

import pytest

from pipeline_manager.bench_process import run_measured


def test_the_memory_of_who_measures_is_not_counted():
    held = bytearray(b"x") * (300 << 20)
    small = run_measured([sys.executable, "-c", "print('small')"], os.environ)
    large = run_measured([sys.executable, "-c", "held = bytearray(b'x') * (200 << 20)"], os.environ)
    assert small.output == "small\n"
    assert small.peak_memory_mb < 100 < len(held) >> 20
    assert 200 <= large.peak_memory_mb < 300


def test_seconds_are_of_the_process():
    slept = run_measured([sys.executable, "-c", "import time; time.sleep(0.3)"], os.environ)
    assert 0.3 <= slept.seconds < 10


def test_a_process_that_fails_is_told_with_what_it_said():
    with pytest.raises(RuntimeError, match="no such feed"):
        run_measured([sys.executable, "-c", "import sys; sys.exit('no such feed')"], os.environ)
