"""Environments created, killed amid, applied at once, expired and dropped: nothing is left over, prod is untouched."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from etl_pipeline.core.errors import RetryStepError, UsageError, WarehouseError
from etl_pipeline.core.failpoints import NAMES, NAMES_OF_ENVIRONMENTS, VARIABLE
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from pipeline_manager.environments.lifecycle import Origin, collect_garbage, create, drop, refresh
from pipeline_manager.flow import Options, run_flow
from test.pipeline_manager.small_retailer import MASTERS, write_files
from test.torture.stage import Stage, Tortured
from test.torture.telling import replay

pytestmark = [pytest.mark.torture, pytest.mark.slow]
CYCLES = int(os.environ.get("SYSTOCK_TORTURE_ENVIRONMENTS", "20"))
FIRST_SEED = int(os.environ.get("SYSTOCK_TORTURE_SEED", "1"))
CYCLES_BETWEEN_LOOKS = 20
ENVIRONMENTS = ("alpha", "beta", "gamma")
POINTS = [*NAMES_OF_ENVIRONMENTS] * 4 + [name for name in NAMES if name.startswith(("deploy.", "batch.", "publish."))]
LONGEST_ACT = 120.0
ORIGINS: tuple[Origin, ...] = ("prod", "prod", "empty")
DONE, REFUSED, DIED, WRONG = 0, 1, -9, 70
Act = Callable[[], object]


def start(act: Act, failpoint: str) -> int:
    """Do something in a process of its own, forked from this one."""
    pid = os.fork()
    if pid:
        return pid
    code = WRONG
    try:
        if failpoint:
            os.environ[VARIABLE] = failpoint
        act()
        code = DONE
    except (UsageError, RetryStepError, WarehouseError):
        code = REFUSED  # with a sentence: none of that name, half made, at work, expired
    except BaseException as error:
        sys.__stderr__ and sys.__stderr__.write(f"unexpected {type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def end(pid: int) -> int:
    deadline = time.monotonic() + LONGEST_ACT
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"process {pid} did not end")


class Shop:
    """A prod, and what may be done to its environments."""

    def __init__(self, warehouse: Tortured, feeds: Path, inboxes: list[Path], random: Random) -> None:
        self.warehouse = warehouse
        self.settings = Settings(home=warehouse.home, database_url=warehouse.url)
        self.feeds = feeds
        self.inboxes = inboxes
        self.random = random
        self.acts: Counter[str] = Counter()

    def act(self) -> Act:
        """Choose what somebody does next."""
        name = self.random.choice(ENVIRONMENTS)
        kind = self.random.choices(["create", "run", "drop", "gc", "refresh"], [5, 5, 3, 1, 1])[0]
        inbox, is_full = self.random.choice(self.inboxes), self.random.random() < 0.2
        origin, days = self.random.choice(ORIGINS), self.random.choice([0.00001, 5, 5, 5])
        later = datetime.now(UTC) + timedelta(days=self.random.choice([0, 9]))
        self.acts[kind] += 1
        url, settings = self.warehouse.url, self.settings

        def run() -> object:
            options = Options(self.feeds, inbox, env=name, gold_tests=False, full_refresh=is_full)
            return run_flow(options, settings, make_progress("silent"))

        acts: dict[str, Act] = {
            "create": lambda: create(url, settings, name, origin=origin, lease_days=days, now=datetime.now(UTC)),
            "run": run,
            "drop": lambda: drop(url, settings, name),
            "gc": lambda: collect_garbage(url, settings, now=later),
            "refresh": lambda: refresh(url, settings, name),
        }
        return acts[kind]

    def cycle(self) -> list[int]:
        """Let one or two do something at once; some die at a named point, some at any instant."""
        started = []
        for _ in range(self.random.choice([1, 2, 2, 3])):
            fate = self.random.random()
            pid = start(self.act(), f"{self.random.choice(POINTS)}" if fate < 0.4 else "")
            if 0.4 <= fate < 0.6:
                time.sleep(self.random.random() * 0.8)
                os.kill(pid, signal.SIGKILL)
            started.append(pid)
        return [end(pid) for pid in started]

    def left_over(self) -> dict[str, object]:
        """What there is beside prod on the server and in the folder."""
        rows = self.warehouse.rows
        prefix = f"{'|'.join(ENVIRONMENTS)}"
        return {
            "schemas": rows("select nspname from pg_namespace where nspname ~ %s", (f"^({prefix})_",)),
            "roles": rows(
                "select rolname from pg_roles where rolname ~ %s and rolname ~ ('^env_' || left(encode("
                "sha256(convert_to(current_database(), 'UTF8')), 'hex'), 10))",
                (f"_({prefix})$",),
            ),
            "entries": rows("select name, state from ops.environment"),
            "files": sorted(path.name for path in (self.warehouse.home / "env").glob("*")),
        }  # fmt: skip


@pytest.fixture(scope="module")
def shop(stage: Stage, small_feeds: Path) -> Shop:
    warehouse = stage.make()
    moves = "".join(f"D{n},1,1,{'AB'[n % 2]},W1,2025-02-01T09:00:00,{n},EA,in,\n" for n in range(40))
    warehouse.finish(small_feeds, write_files(stage.room("inbox"), MASTERS | {"move_2025-02-01.csv": moves}))
    more = {f"move_2025-02-0{day}.csv": f"X{day},1,1,A,W1,2025-02-0{day}T09:00:00,9,EA,in,\n" for day in (2, 3, 4)}
    inboxes = [write_files(stage.room("inbox"), {name: text}) for name, text in more.items()]
    return Shop(warehouse, small_feeds, inboxes, Random(FIRST_SEED))


def test_whatever_happens_to_environments_none_is_left_over_and_prod_is_not_touched(shop: Shop):
    warehouse, before = shop.warehouse, shop.warehouse.total
    tables = "select schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables" \
             " where schemaname in ('bronze', 'silver', 'gold') order by 1, 2"  # fmt: skip
    warehouse.wait_for_quiet()
    written = warehouse.rows(tables)
    codes: Counter[int] = Counter()
    with replay("test_environments.py", FIRST_SEED, SYSTOCK_TORTURE_ENVIRONMENTS=CYCLES):
        for number in range(1, CYCLES + 1):
            ended = shop.cycle()
            codes.update(ended)
            assert WRONG not in ended, f"cycle {number}: {ended}"
            if number % CYCLES_BETWEEN_LOOKS == 0 or number == CYCLES:
                warehouse.wait_for_quiet(60)
                assert warehouse.total == before
    assert collect_garbage(warehouse.url, shop.settings, now=datetime.now(UTC) + timedelta(days=99)) is not None
    assert shop.left_over() == {name: [] for name in shop.left_over()}
    assert warehouse.total == before
    warehouse.wait_for_quiet()
    assert warehouse.rows(tables) == written  # not one row of prod's data was inserted, changed or deleted
    assert codes[DONE] > 0 and (CYCLES < 20 or codes[DIED] > 0), codes
    sys.stdout.write(f"\nenvironments: {CYCLES} cycles, acts {dict(shop.acts)}, outcomes {dict(codes)}\n")
