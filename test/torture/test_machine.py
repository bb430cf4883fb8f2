"""A state machine of the senders, the runners and the server: Hypothesis looks for a history that breaks a law."""

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from test.pipeline_manager.small_retailer import write_files
from test.torture.mishaps import MISHAPS
from test.torture.outside import Outside
from test.torture.stage import Stage
from test.torture.telling import assert_same

pytestmark = [pytest.mark.torture, pytest.mark.slow]
EXAMPLES = int(os.environ.get("SYSTOCK_TORTURE_EXAMPLES", "3"))
ACTS = ("deliver", "redeliver", "split", "correct", "void", "count")


def machine(stage: Stage, feeds: Path) -> type[RuleBasedStateMachine]:
    class Life(RuleBasedStateMachine):
        """One warehouse from its first file to its last."""

        @initialize(seed=st.integers(0, 2**32))
        def be_born(self, seed):
            self.random = Random(seed)
            self.outside = Outside(self.random)
            self.inbox = write_files(stage.room("inbox"), self.outside.masters())
            self.warehouse = stage.make()
            self.is_loaded = False

        @rule(what=st.sampled_from(ACTS))
        def send(self, what):
            write_files(self.inbox, getattr(self.outside, what)())

        @precondition(lambda self: len(self.outside.files) > 3)
        @rule()
        def take_a_file_out_of_the_inbox(self):
            path = self.random.choice(sorted(self.inbox.iterdir()))
            if not self.is_loaded:
                return
            self.warehouse.finish(feeds, self.inbox)
            path.unlink(missing_ok=True)
            write_files(self.inbox, {path.name: self.outside.files[path.name]} if self.random.random() < 0.5 else {})

        @rule(name=st.sampled_from(sorted(MISHAPS)))
        def suffer(self, name):
            if not any(self.inbox.iterdir()):
                return
            MISHAPS[name](self.warehouse, feeds, self.inbox, self.random)
            self.is_loaded = True

        @rule()
        def run_calmly(self):
            self.warehouse.finish(feeds, self.inbox)
            self.warehouse.check_tidy()
            self.is_loaded = True

        @invariant()
        def the_laws_hold(self):
            if getattr(self, "is_loaded", False):
                self.warehouse.wait_for_quiet()
                if self.warehouse.value("select to_regclass('ops.batch') is not null"):
                    self.warehouse.check()

        def teardown(self):
            if not hasattr(self, "warehouse"):
                return
            write_files(self.inbox, self.outside.files)
            self.warehouse.finish(feeds, self.inbox)
            self.warehouse.check()
            clean = stage.make()
            clean.finish(feeds, self.inbox)
            assert_same(clean, self.warehouse)
            self.warehouse.drop()
            clean.drop()

    return Life


def test_no_history_of_files_and_mishaps_breaks_a_law(stage, small_feeds):
    run_state_machine_as_test(
        machine(stage, small_feeds),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=8, deadline=None, database=None, print_blob=True,
            derandomize="SYSTOCK_TORTURE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
