"""The `systock` command: help on everything, no logic inside."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager import env_commands
from pipeline_manager.alive import alive
from pipeline_manager.backup_commands import backup, restore
from pipeline_manager.console import SET_ASIDE, STOPPED, command_errors, exit_with
from pipeline_manager.evolve_command import feeds_evolve
from pipeline_manager.gates.command import gates
from pipeline_manager.metrics_command import metrics
from pipeline_manager.observe_commands import observe, score_alerts
from pipeline_manager.orchestrator.orchestrate_command import orchestrate
from pipeline_manager.pipeline_flow import URL_HELP, watch_command
from pipeline_manager.pipeline_flow import run as run_command
from pipeline_manager.shipping_command import ship
from pipeline_manager.telling_commands import notify

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="SyStock: a stock figure that is right, and that explains itself.",
    epilog="Start with: systock run",
)
feeds_app = typer.Typer(no_args_is_help=True, help="Contracts of feeds: check them, draft a new one, mend one.")
quarantine_app = typer.Typer(no_args_is_help=True, help="What was set aside, why, and how it gets back in.")
app.add_typer(feeds_app, name="feeds")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(env_commands.app, name="env")
feeds_app.command("evolve")(feeds_evolve)
app.command("run")(run_command)
app.command("watch")(watch_command)
for command in (alive, backup, restore, gates, notify, metrics, observe, score_alerts, orchestrate, ship):
    app.command(command.__name__.replace("_", "-"))(command)

EnvOption = Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")]
FileArgument = Annotated[str, typer.Argument(help="Name of the file, or the end of it.")]
LineArgument = Annotated[int | None, typer.Argument(help="Line of the record; all of the file's without it.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in a sentence; kept with the decision.")]
UrlOption = Annotated[str | None, typer.Option("--database-url", help=URL_HELP)]


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write the feeds' files into.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of trade.")] = 30,
    stores: Annotated[int, typer.Option(min=1, max=10_000, help="Number of stores.")] = 4,
    products: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of products.")] = 60,
    start: Annotated[str, typer.Option(help="First day.")] = "2025-03-01",
    faults: Annotated[
        str, typer.Option(help="What goes wrong: names with an optional share of files, or all, usual, none.")
    ] = "usual",
    answers: Annotated[
        Path | None, typer.Option(help="Folder for the answer key; without it, OUT with _answers behind.")
    ] = None,
    key: Annotated[
        bool, typer.Option("--key/--no-key", help="Write the answer key; it needs all records in memory at once.")
    ] = True,
    losses: Annotated[
        bool, typer.Option("--losses/--no-losses", help="Theft, misplaced goods, counting errors: no record tells.")
    ] = True,
) -> None:
    """Write the feeds of a simulated retailer, with faults, and the answer key of what is true.

    Example: systock simulate --out inbox --days 7 --faults F3,F5:0.02
    """
    with command_errors():
        from pipeline_manager.simulating import write_retailer

        folder = (answers or out.with_name(f"{out.resolve().name}_answers")) if key else None
        write_retailer(
            out, seed=seed, days=days, stores=stores, products=products, start=start, faults=faults, answers=folder,
            losses=losses,
        )  # fmt: skip


@feeds_app.command("check")
def feeds_check(folder: Annotated[Path, typer.Argument(help="Folder of contracts.")]) -> None:
    """Check the contracts of a folder; every mistake at once, with file and line.

    Example: systock feeds check feeds/simulated
    """
    with command_errors():
        from pipeline_manager.feed_commands import show_check

        show_check(folder)


@feeds_app.command("draft")
def feeds_draft(file: Annotated[Path, typer.Argument(help="A sample file of the new feed.")]) -> None:
    """Propose a contract from a sample file; what it is unsure of is marked.

    Example: systock feeds draft sales.csv > feeds/mine/sales.yml
    """
    with command_errors():
        from pipeline_manager.feed_commands import draft

        sys.stdout.write(draft(file))


@quarantine_app.command("list")
def quarantine_list(
    everything: Annotated[bool, typer.Option("--all", help="Show what was dismissed too.")] = False,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """List what is set aside: file, line, reason and what to do.

    Example: systock quarantine list
    """
    with command_errors():
        from pipeline_manager.quarantine_commands import show_list

        show_list(env, database_url, everything=everything)


@quarantine_app.command("show")
def quarantine_show(
    file: Annotated[str, typer.Argument(help="Name of the file, or the end of it.")],
    line: Annotated[int | None, typer.Argument(help="Line of the record; all of the file's without it.")] = None,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Show records set aside with their bytes.

    Example: systock quarantine show pos_ST01_20250303.csv.gz 12
    """
    with command_errors():
        from pipeline_manager.quarantine_commands import show_records

        show_records(file, line, env, database_url)


@quarantine_app.command("retry")
def quarantine_retry(
    feeds: Annotated[
        Path | None, typer.Option(help="Folder of contracts; the simulated retailer's without it.")
    ] = None,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Judge everything that is set aside again, with the contracts and masters of now.

    Example: systock quarantine retry --feeds feeds/simulated
    """
    with command_errors():
        from pipeline_manager.quarantine_commands import retry

        remaining = retry(feeds, env, database_url)
    exit_with(SET_ASIDE if remaining else 0)


@quarantine_app.command("accept")
def quarantine_accept(
    file: FileArgument,
    reason: ReasonOption,
    line: LineArgument = None,
    feeds: Annotated[
        Path | None, typer.Option(help="Folder of contracts; the simulated retailer's without it.")
    ] = None,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Let in a file of unusual volume, or records of implausible quantity, that are right after all.

    Example: systock quarantine accept pos_ST01_20250304.csv --reason "Black Friday, confirmed by the store"
    """
    with command_errors():
        from pipeline_manager.quarantine_commands import accept

        accept(file, line, reason, feeds=feeds, env=env, database_url=database_url)


@quarantine_app.command("dismiss")
def quarantine_dismiss(
    file: FileArgument,
    reason: ReasonOption,
    line: LineArgument = None,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Take a file or record that stays out off the list; it is kept, and stays counted as quarantined.

    Example: systock quarantine dismiss pos_ST01_20250304.csv 64 --reason "torn line, sent again on 2025-03-05"
    """
    with command_errors():
        from pipeline_manager.quarantine_commands import dismiss

        dismiss(file, line, reason, env, database_url)


@app.command()
def dsn(env: EnvOption = None, database_url: UrlOption = None) -> None:
    """Print the connection for psql and BI tools (without its password).

    Example: psql "$(systock dsn)"
    """
    with command_errors():
        from pipeline_manager.warehouse_commands import shown_dsn

        typer.echo(shown_dsn(env, database_url))


@app.command()
def explain(
    product: Annotated[str, typer.Option(help="Product code, or another code or the GTIN of it.")],
    location: Annotated[str, typer.Option(help="Location code.")],
    at: Annotated[str | None, typer.Option(help="Instant with its zone; without it all that happened.")] = None,
    known: Annotated[int | None, typer.Option(help="Load whose knowledge is asked for; default: the latest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    with_bytes: Annotated[bool, typer.Option("--bytes", help="Show each record as it was received.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every fact.")] = False,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Take a stock figure apart: the count, the movements, and what was not counted and why.

    Example: systock explain --product P0001 --location ST01 --at 2025-03-10T12:00:00+00:00
    """
    with command_errors(as_json=as_json):
        from pipeline_manager.explain import show_explanation

        show_explanation(
            product, location, at, known, env=env, database_url=database_url,
            as_json=as_json, with_bytes=with_bytes, everything=everything,
        )  # fmt: skip


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(help="File to write; default: report.html below SYSTOCK_HOME.")] = None,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Write the page to open in the morning: risks, promises, freshness, drift, quarantine, sales, in one HTML file.

    Example: systock report --out report.html
    """
    with command_errors():
        from pipeline_manager.morning.report_page import show_report

        typer.echo(show_report(out, env, database_url))


@app.command("hash")
def hash_(env: EnvOption = None, database_url: UrlOption = None) -> None:
    """Print a hash of everything in silver and gold; the same facts give the same, in whatever order they came.

    Example: systock hash
    """
    with command_errors():
        from pipeline_manager.warehouse_commands import hashes

        for name, value in hashes(env, database_url).items():
            typer.echo(f"{value}  {name}")


@app.command()
def audit(env: EnvOption = None, database_url: UrlOption = None) -> None:
    """Check every law of the warehouse over everything.

    Example: systock audit
    """
    with command_errors():
        from pipeline_manager.warehouse_commands import audit_laws

        is_kept = audit_laws(env, database_url)
    exit_with(0 if is_kept else STOPPED)


@app.command()
def rebuild(env: EnvOption = None, database_url: UrlOption = None) -> None:
    """Make stock and order lines anew from the ledger; what differed is mended, told, and ends with exit code 1.

    Example: systock rebuild
    """
    with command_errors():
        from pipeline_manager.rebuild_command import rebuild as rebuild_all

        was_right = rebuild_all(env, database_url)
    exit_with(0 if was_right else STOPPED)


@app.command("score")
def score_(
    inbox: Annotated[Path, typer.Option(help="Folder that `systock simulate` wrote and `systock run` loaded.")],
    answers: Annotated[
        Path | None, typer.Option(help="Folder of the answer key; without it, the one beside the inbox.")
    ] = None,
    feeds: Annotated[
        Path | None, typer.Option(help="Folder of contracts; the simulated retailer's without it.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for score.json and score.html.")] = Path("score"),
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Compare the warehouse with what is true, beside three common shortcuts on the same files.

    Example: systock simulate --out in && systock run --inbox in && systock score --inbox in
    """
    with command_errors():
        from pipeline_manager.scoring.card import show_score

        show_score(inbox, answers, feeds, out, env=env, database_url=database_url)


@app.command("score-promises")
def score_promises(
    out: Annotated[Path, typer.Option(help="Folder for promises.svg and promises.json.")] = Path("score"),
    days: Annotated[int, typer.Option(min=12, help="Days of the retailer's life; the first ten are calm.")] = 40,
    stores: Annotated[int, typer.Option(min=1, help="Stores whose lines go down now and then.")] = 5,
    products: Annotated[int, typer.Option(min=1, help="Products.")] = 40,
    seed: Annotated[int, typer.Option(help="Of all chance.")] = 11,
) -> None:
    """Compare promises that mind the age of the news with fixed buffers, on stores whose files stay away for days.

    It plays on a server of its own; your warehouse is not touched. Example: systock score-promises --out score
    """
    with command_errors():
        from etl_pipeline.core.progress import ended, make_progress
        from pipeline_manager.scoring.outage_story import Story
        from pipeline_manager.scoring.promise_card import compare_promises

        with ended(make_progress()) as progress:
            compare_promises(Story(seed, days, stores, products), out, progress)


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON, and nothing else.")] = False,
    expect: Annotated[str | None, typer.Option(help="Head of an earlier verify that the chain must contain.")] = None,
    env: EnvOption = None,
    database_url: UrlOption = None,
) -> None:
    """Hash everything that was received again: files, bytes, manifest, quarantine, snapshots; name what changed.

    Example: systock verify
    """
    with command_errors(as_json=as_json):
        from pipeline_manager.verifying import show_verdict

        is_whole = show_verdict(env, database_url, as_json=as_json, expected_head=expect)
    exit_with(0 if is_whole else STOPPED)


@app.command()
def stop() -> None:
    """Stop the embedded server; the data stays, the next command starts it again.

    Example: systock stop
    """
    with command_errors():
        from pipeline_manager.warehouse_commands import stop_server

        typer.echo(stop_server())


@app.command()
def bench(
    sizes: Annotated[str, typer.Option(help="Lines of the till files to load, with commas between.")] = "100000",
    records: Annotated[
        str, typer.Option(help="Records of all feeds of the simulated retailer, likewise; 0 for none.")
    ] = "100000",
    only: Annotated[
        str,
        typer.Option(
            help="Parts, with commas: loads, again, live, feeds, valuation, promises, reading; all without it."
        ),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for bench.json and bench.svg.")] = Path("bench_results"),
) -> None:
    """Measure loads beside a bare COPY and beside dlt with dbt, in one run on one server of its own.

    The defaults take some minutes; docs/speed.md says what is measured. `make bench` installs dlt for it.

    Example: systock bench --sizes 100000,1000000,5000000 --records 1000000,5000000
    """
    with command_errors():
        from etl_pipeline.core.progress import ended, make_progress
        from pipeline_manager.bench import run_bench

        with ended(make_progress()) as progress:
            run_bench(sizes, records, only, out, progress)


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("PYTHONUTF8", "1")
    app(prog_name="systock")


if __name__ == "__main__":
    main()
