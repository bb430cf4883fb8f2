"""What may happen to a run: each of these starts one in a warehouse, harms it, and leaves it to the next run."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import psycopg2

from etl_pipeline.core.failpoints import NAMES
from test.torture.proxy import cut_at_commit
from test.torture.runner import Ended
from test.torture.stage import Tortured

POINTS = [name for name in NAMES if not name.startswith(("deploy.", "rebuild."))]


def calm(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    return warehouse.finish(feeds, inbox)


def killed_at_a_point(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    point = f"{random.choice(POINTS)}:{random.randint(1, 2)}"
    return warehouse.start(feeds, inbox, failpoint=point).end()


def killed_at_an_instant(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    run = warehouse.start(feeds, inbox)
    if run.is_over(random.random() * 1.5):
        return run.end()
    return run.kill()


def an_error_at_a_point(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    return warehouse.start(feeds, inbox, failpoint=f"{random.choice(POINTS)}=raise").end()


def killed_in_a_rebuild(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    run = warehouse.start(feeds, inbox, full_refresh=True)
    if run.is_over(random.random() * 1.5):
        return run.end()
    return run.kill()


def rebuilt(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    return warehouse.finish(feeds, inbox, full_refresh=True)


def reply_to_commit_lost(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    with cut_at_commit(
        warehouse.stage.server.socket_folder, number=random.randint(1, 16), lands=random.random() < 0.7
    ) as folder:
        url = f"postgresql://postgres@/{warehouse.name}?host={folder}&port=5432"
        ended = warehouse.start(feeds, inbox, url=url).end()
    assert ended.is_done, ended  # a lost connection is the runner's own business
    return ended


def session_ended(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    run = warehouse.start(feeds, inbox)
    run.is_over(random.random())
    with closing(psycopg2.connect(warehouse.stage.server.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (warehouse.name,)
        )
    ended = run.end()
    assert ended.is_done, ended
    return ended


def server_fell(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    run = warehouse.start(feeds, inbox)
    run.is_over(random.random())
    warehouse.stage.crash()
    warehouse.stage.rise()
    return run.end()


def two_at_once(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    runs = [warehouse.start(feeds, inbox) for _ in range(3)]
    ended = [run.end() for run in runs]
    assert all(one.code == 0 for one in ended), ended
    assert any(one.is_done for one in ended), ended
    return max(ended, key=lambda one: one.is_done)


def a_file_being_written(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    """One file of the inbox is written slowly while the run reads it."""
    path = random.choice(sorted(inbox.iterdir()))
    whole = path.read_bytes()
    half = random.randint(0, len(whole) - 1)
    with path.open("wb") as writer:
        writer.write(whole[:half])
        writer.flush()
        run = warehouse.start(feeds, inbox)
        run.is_over(random.random() * 0.3)
        writer.write(whole[half:])
    return run.end()


def paused_and_taken_over(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    """The runner sleeps, its session ends, another run does the work; then it wakes."""
    point = random.choice(["batch.staged", "batch.before_commit", "judge_again.begun", "publish.begun"])
    run = warehouse.start(feeds, inbox, failpoint=f"{point}=stop")
    while not run.is_over(0.01) and not is_stopped(run.pid):
        time.sleep(0.01)
    if not run.is_over():
        with closing(psycopg2.connect(warehouse.stage.server.url("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (warehouse.name,)
            )
        other = warehouse.finish(feeds, inbox)
        run.send(signal.SIGCONT)
        woken = run.end()
        assert woken.code == 1 and "took environment" in woken.said, woken
        return other
    return run.end()


def a_lock_in_the_way(warehouse: Tortured, feeds: Path, inbox: Path, random: Random) -> Ended:
    """Somebody holds a lock for a moment, and the server waits for none that long."""
    with closing(psycopg2.connect(warehouse.url)) as holder:
        cursor = holder.cursor()
        cursor.execute(f"alter database {warehouse.name} set lock_timeout = '100ms'")
        holder.commit()
        cursor.execute("lock table silver.position, ops.batch in share mode")
        release = threading.Timer(0.4, holder.rollback)
        run = warehouse.start(feeds, inbox)
        release.start()
        ended = run.end()
        release.join()
        cursor.execute(f"alter database {warehouse.name} reset lock_timeout")
        holder.commit()
    assert ended.is_done, ended
    return ended


def is_stopped(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state in ("T", "Z")


MISHAPS: dict[str, Callable[[Tortured, Path, Path, Random], Ended]] = {
    one.__name__: one
    for one in (
        killed_at_a_point, killed_at_an_instant, an_error_at_a_point, killed_in_a_rebuild, rebuilt,
        reply_to_commit_lost, session_ended, two_at_once, a_file_being_written, paused_and_taken_over,
        a_lock_in_the_way, server_fell,
    )
}  # fmt: skip
SELDOM = ("killed_in_a_rebuild", "rebuilt")
"""What takes long, since gold is deployed anew."""


def any_mishap(random: Random, *, without: tuple[str, ...] = ()) -> str:
    """Draw the name of one."""
    name = random.choice(sorted(set(MISHAPS) - set(without)))
    return name if name not in SELDOM or random.random() < 0.25 else "killed_at_an_instant"
