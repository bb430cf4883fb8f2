"""The `systock` command: help on everything, no logic inside."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import SET_ASIDE, STOPPED, command_errors, exit_with
from pipeline_manager.pipeline_flow import URL_HELP
from pipeline_manager.pipeline_flow import run as run_command

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="SyStock: a stock figure that is right, and that explains itself.",
    epilog="Start with: systock run",
)
feeds_app = typer.Typer(no_args_is_help=True, help="Contracts of feeds: check them, draft a new one.")
quarantine_app = typer.Typer(no_args_is_help=True, help="What was set aside, why, and how it gets back in.")
app.add_typer(feeds_app, name="feeds")
app.add_typer(quarantine_app, name="quarantine")
app.command("run")(run_command)

EnvOption = Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")]
UrlOption = Annotated[str | None, typer.Option("--database-url", help=URL_HELP)]


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write the feeds' files into.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    days: Annotated[int, typer.Option(min=1, help="Days of trade.")] = 30,
    stores: Annotated[int, typer.Option(min=1, help="Number of stores.")] = 4,
    products: Annotated[int, typer.Option(min=1, help="Number of products.")] = 60,
) -> None:
    """Write the feeds of a simulated retailer: POS, ERP, WMS, shop, supplier.

    Example: systock simulate --out inbox --days 7
    """
    with command_errors():
        from extract.simulated.retailer import simulate as simulate_month

        month = simulate_month(out, seed=seed, days=days, stores=stores, products=products)
        typer.echo(f"{len(month.files)} files in {out}. Load them: systock run --feeds feeds/simulated --inbox {out}")


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
def quarantine_list(env: EnvOption = None, database_url: UrlOption = None) -> None:
    """List what is set aside: file, line, reason and what to do.

    Example: systock quarantine list
    """
    with command_errors():
        from pipeline_manager.quarantine_commands import show_list

        show_list(env, database_url)


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


@app.command()
def dsn(env: EnvOption = None, database_url: UrlOption = None) -> None:
    """Print the connection for psql and BI tools (without its password).

    Example: psql "$(systock dsn)"
    """
    with command_errors():
        from pipeline_manager.warehouse_commands import shown_dsn

        typer.echo(shown_dsn(env, database_url))


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
def stop() -> None:
    """Stop the embedded server; the data stays, the next command starts it again.

    Example: systock stop
    """
    with command_errors():
        from pipeline_manager.warehouse_commands import stop_server

        typer.echo(stop_server())


@app.command()
def bench(
    lines: Annotated[int, typer.Option(min=1_000, help="POS lines.")] = 1_000_000,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("bench_results"),
) -> None:
    """Measure the load beside a bare COPY of the same file, in one run on one server.

    Example: systock bench --lines 100000
    """
    with command_errors():
        from pipeline_manager.bench import run_bench

        run_bench(lines, out)


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("PYTHONUTF8", "1")
    app(prog_name="systock")


if __name__ == "__main__":
    main()
