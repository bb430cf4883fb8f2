"""A small part of the score of alerts: what goes wrong is told, and clean years say nothing."""

import pytest

from extract.simulated.delivery_years import deliveries
from pipeline_manager.alert_scoring import FRESHNESS, VOLUME, score

pytestmark = pytest.mark.fast


def test_faults_of_simulated_years_are_told_and_clean_years_say_nothing():
    found = score(2001, 2, 2, lambda: None)
    assert found.recall(FRESHNESS) >= 0.99
    assert found.precision(FRESHNESS) >= 0.95
    assert found.recall(VOLUME) >= 0.99
    assert found.precision(VOLUME) >= 0.9
    assert found.clean_alerts == []
    assert sum(found.faults.values()) > 50


def test_the_first_good_week_after_three_bad_ones_makes_no_supplier_thin():
    assert not +score(3004, 1, 0, lambda: None).false


@pytest.mark.parametrize("seed", [7041, 7178, 7215, 9208])
def test_a_promotion_that_ends_after_christmas_is_no_thin_file(seed):
    assert score(seed, 0, 1, lambda: None).clean_alerts == []


def test_the_same_seed_gives_the_same_years():
    first, again = deliveries(3, with_faults=True), deliveries(3, with_faults=True)
    assert [one.faults for one in first] == [one.faults for one in again]
    assert all((a.records[1:] == b.records[1:]).sum() for a, b in zip(first, again, strict=True))
