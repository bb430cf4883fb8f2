"""Named points of a run at which the tests make it die: SYSTOCK_FAILPOINT=name[:time][=action].

Nothing happens unless that variable is set. `time` is which time the point is reached (default: the first). `action`
is `kill` (SIGKILL, the default), `stop` (SIGSTOP, until somebody sends SIGCONT) or `raise`.
"""

import os
import signal
from collections import Counter

from etl_pipeline.core.errors import RetryStepError, UsageError

VARIABLE = "SYSTOCK_FAILPOINT"
NAMES = (
    "rebuild.remembered", "rebuild.dropped",
    "deploy.file", "deploy.before_commit", "deploy.after_commit", "run.fenced",
    "extract.done",
    "land.copied", "land.kept", "land.done",
    "batch.begun", "batch.file_staged", "batch.staged",
    "apply.place_records", "apply.apply_facts", "apply.refresh_dim_product", "apply.refresh_dim_location",
    "apply.drop_unused", "apply.set_aside", "apply.predict_positions", "apply.touch_keys", "apply.refresh_position",
    "apply.touch_orders", "apply.refresh_order_lines", "apply.refresh_lateness", "apply.note_rates_due",
    "batch.before_laws", "batch.before_commit", "batch.after_commit",
    "load.before_names", "load.after_names", "judge_again.begun", "judge_again.done", "rebuild.forgotten",
    "publish.begun", "publish.gold_built", "publish.before_seal", "publish.before_seal_commit", "publish.after_seal",
    "publish.done",
)  # fmt: skip
"""Every point of a run, in the order in which a run meets them first."""
NAMES_OF_ENVIRONMENTS = (
    "env.entered", "env.made", "env.deployed", "env.ready",
    "env.copied", "env.copy_deployed", "env.written_to",
    "env.leaving", "env.emptied", "env.files_gone", "env.gone",
)  # fmt: skip
"""Points at which an environment is made, gets tables of its own, and goes."""
NAMES_OF_SHIPPING = (
    "ship.begun", "ship.read", "ship.put", "ship.staged", "ship.all_staged", "ship.merged", "ship.before_manifest",
    "ship.before_commit", "ship.published", "ship.done",
)  # fmt: skip
"""Points of a shipment to a serving warehouse, in the order in which it meets them first."""
_ALL = NAMES + NAMES_OF_ENVIRONMENTS + NAMES_OF_SHIPPING

_reached: Counter[str] = Counter()


def reached(name: str) -> None:
    """Tell that a point is reached; do what SYSTOCK_FAILPOINT asks for there, mostly nothing.

    Raises:
        RetryStepError: the action is `raise`.
        UsageError: the variable names a point or an action that does not exist.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    place, _, action = wanted.partition("=")
    point, _, time = place.partition(":")
    if point not in _ALL or not (time or "1").isdigit() or action not in ("", "kill", "stop", "raise"):
        raise UsageError(
            f"{VARIABLE} is '{wanted}'. Write name[:time][=kill|stop|raise] with one of: " + ", ".join(_ALL)
        )
    if name != point:
        return
    _reached[name] += 1
    if _reached[name] != int(time or "1"):
        return
    if action == "raise":
        raise RetryStepError(f"Failpoint {name} was reached; {VARIABLE} asked for an error there.")
    os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)
