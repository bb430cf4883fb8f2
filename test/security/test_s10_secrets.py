"""S10: a password or token that we were given is shown nowhere: not by a command, an error, a log or a file of ours."""

import logging
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from etl_pipeline.core.log import RedactingFormatter
from etl_pipeline.core.settings import _known_secrets as known_secrets
from etl_pipeline.core.settings import load_settings, redact, remember_secrets
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.commands import app
from test.pipeline_manager.small_retailer import HEADERS, MASTERS, write_feeds, write_files

CANARY = "s3cr3t-canary"
ODD = "ab/can4ry#one?two@three:f0ur"  # not percent-encoded: it takes a URL apart
WEBHOOK = "http://127.0.0.1:1/services/T0/B0/c4naryhook"
TOKEN = "tok3n-canary-9"
MOVES = {"move_2025-02-01.csv": "D1,1,1,A,W1,2025-02-01T09:00:00,5,EA,in,\nD2,1,1,NO,W1,2025-02-01T09:00:00,5,EA,in,\n"}
API = """
feed: web
describes: From an API.
source_system: shop
files: {pattern: "web.jsonl", format: jsonl}
key: {document: id}
extract: {kind: api, url_env: WEB_URL, token_env: WEB_BEARER}
yields: [{fact: product, columns: {product_code: id}}]
"""
TABLE = """
feed: tab
describes: From a database.
source_system: erp
files: {pattern: "tab.csv"}
key: {document: id}
extract: {kind: database, url_env: TAB_URL, table: no_such_table}
yields: [{fact: product, columns: {product_code: id}}]
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that asks for a password over its socket, which is the canary."""
    server = EmbeddedServer.start(tmp_path_factory.mktemp("guarded") / "pg", ephemeral=True)
    with closing(psycopg2.connect(server.url())) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"create role guest login superuser password '{CANARY}'")
        hba = server.cluster / "pg_hba.conf"
        hba.write_text("local all guest scram-sha-256\n" + hba.read_text())
        connection.cursor().execute("select pg_reload_conf()")
    yield server
    server.stop()


class Shell:
    """Runs commands in this process, and keeps everything that they said and wrote."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self._capsys, self._monkeypatch = home, capsys, monkeypatch
        self.said: list[tuple[str, int, str]] = []
        home.mkdir()
        monkeypatch.chdir(home)
        monkeypatch.setenv("SYSTOCK_HOME", str(home / "systock"))

    def __call__(self, *arguments: object, **environ: str) -> str:
        known_secrets.clear()  # what an earlier command remembered must not help this one
        with self._monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            code: object = 0
            try:
                app([str(argument) for argument in arguments], prog_name="systock")
            except SystemExit as ended:
                code = ended.code
        captured = self._capsys.readouterr()
        text = captured.out + captured.err
        self.said.append((" ".join(map(str, arguments)), int(str(code or 0)), text))
        return text

    def leaks(self, *secrets: str) -> list[str]:
        """Commands and files in which a secret stands."""
        found = [name for name, _, text in self.said if any(secret in text for secret in secrets)]
        for path in self.home.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [str(path) for secret in secrets if secret.encode() in content]
        return found


def test_s10_no_command_shows_or_keeps_a_secret_whether_it_works_or_fails(guarded, tmp_path, capsys, monkeypatch):
    shell = Shell(tmp_path / "home", capsys, monkeypatch)
    contracts = write_feeds(tmp_path / "feeds")
    inbox = write_files(tmp_path / "inbox", MASTERS | MOVES)
    good = guarded.url(user="guest").replace("guest@", f"guest:{CANARY}@")
    wrong = guarded.url(user="guest").replace("guest@", f"guest:{CANARY}-wrong@")
    nowhere = f"postgresql://guest:{CANARY}@127.0.0.1:1/systock?connect_timeout=2"
    run: tuple[object, ...] = ("run", "--feeds", contracts, "--inbox", inbox, "--no-gold-tests")
    command: tuple[object, ...]

    assert "Stock by location" in shell(*run, SYSTOCK_DATABASE_URL=good)
    assert '"env"' in shell(*run, "--json", "--database-url", good)
    for command in (("dsn",), ("hash",), ("audit",), ("verify",), ("verify", "--json"), ("quarantine", "list"),
                    ("quarantine", "show", "move_2025-02-01.csv"), ("quarantine", "retry", "--feeds", contracts),
                    ("feeds", "check", contracts), ("feeds", "draft", inbox / "move_2025-02-01.csv"), ("stop",),
                    ("metrics",), ("notify",), ("explain", "--product", "A", "--location", "W1")):  # fmt: skip
        shell(*command, SYSTOCK_DATABASE_URL=good, SLACK_WEBHOOK_URL=WEBHOOK)
    codes = {name: code for name, code, _ in shell.said}
    assert codes["dsn"] == codes["verify"] == codes["audit"] == 0

    for command in (run, (*run, "--json"), ("verify",)):
        shell(*command, SYSTOCK_DATABASE_URL=wrong)
    shell(*run, "--json", SYSTOCK_DATABASE_URL=nowhere)
    shell("run", "--env", "Bad Name", SYSTOCK_DATABASE_URL=good)
    (contracts / "move.yml").write_text("feed: [")
    shell(*run, SYSTOCK_DATABASE_URL=good)
    assert all(code in (0, 1, 2, 3) for _, code, _ in shell.said)
    assert not [name for name, _, text in shell.said if "Traceback" in text]
    (inbox / "move_2025-02-01.csv").touch()
    shell(*run, SYSTOCK_DATABASE_URL=good, SLACK_WEBHOOK_URL=WEBHOOK, SLACK_EVERY_RUN="1")
    shell("notify", SYSTOCK_DATABASE_URL=good, SLACK_WEBHOOK_URL=WEBHOOK)
    shell("notify", SYSTOCK_DATABASE_URL=good, SLACK_WEBHOOK_URL=WEBHOOK.partition("://")[2])
    assert shell.leaks(CANARY, "c4naryhook") == []


def test_s10_sources_and_settings_that_are_wrong_show_no_secret(database_url, tmp_path, capsys, monkeypatch):
    shell = Shell(tmp_path / "home", capsys, monkeypatch)
    contracts = tmp_path / "feeds"
    contracts.mkdir()
    (contracts / "retailer.yml").write_text("retailer: small\ndescribes: d\nzone: UTC\ncurrency: EUR\n")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    run = ("run", "--feeds", contracts, "--inbox", inbox, "--database-url", database_url)
    with_password = database_url.replace("postgres@", f"postgres:{CANARY}@")
    for contract, environ in (
        (TABLE, {"TAB_URL": with_password}),
        (TABLE, {"TAB_URL": f"postgresql://u:{CANARY}@127.0.0.1:1/x"}),
        (TABLE, {"TAB_URL": f"postgresql://u:{ODD}@127.0.0.1:1/x"}),
        (TABLE, {"TAB_URL": f"mysql://u:{CANARY}@127.0.0.1:1/x"}),
        (TABLE, {"TAB_URL": f"nonsense://u:{CANARY}@h"}),
        (API, {"WEB_URL": f"http://u:{CANARY}@127.0.0.1:1/x?api_key={TOKEN}", "WEB_BEARER": TOKEN}),
    ):
        (contracts / "one.yml").write_text(contract)
        said = shell(*run, **environ)
        assert "Traceback" not in said
    shell("run", "--feeds", contracts, "--inbox", inbox, SYSTOCK_DATABASE_URL=f"postgresql://u:{ODD}@127.0.0.1:1/x")
    shell("dsn", SYSTOCK_DATABASE_URL=f"postgresql://u:{ODD}@h/x")
    shell("dsn", SYSTOCK_DATABASE_URL=f"no-url-{CANARY}")
    parts = ("can4ry#one", "two@three", "can4ry")
    assert shell.leaks(TOKEN, *parts) == []
    assert shell.leaks(CANARY) == []


@pytest.mark.fast
def test_s10_what_was_remembered_is_redacted_in_whatever_form_it_comes_back():
    remember_secrets(f"postgresql://u:{ODD}@h:5432/d")
    for text in (f"invalid port {ODD!r}", 'invalid port number: "can4ry"', f"x {ODD} y"):
        assert "can4ry" not in redact(text)
    load_settings({"ERP_PASSWORD": "hush-hush-hush", "ERP_URL": "mysql://u:p%40ssw0rd@h/d"}, Path("/nowhere"))
    assert redact("it said hush-hush-hush and p@ssw0rd and p%40ssw0rd") == "it said *** and *** and ***"


@pytest.mark.fast
def test_s10_a_common_password_does_not_garble_what_is_shown():
    remember_secrets("postgresql://postgres:postgres@localhost:5432/systock")
    remember_secrets("false", is_secret=True)
    load_settings(
        {"PWD": "/home/somebody", "OLDPWD": "/home/somebody", "TOKEN_FILE": "/home/somebody"}, Path("/nowhere")
    )
    assert redact("in /home/somebody/.systock") == "in /home/somebody/.systock"
    assert redact("postgresql://postgres:postgres@localhost/systock is false") == (
        "postgresql://postgres:***@localhost/systock is false"
    )


@pytest.mark.fast
def test_s10_a_log_at_debug_level_with_a_traceback_shows_no_secret(capsys):
    remember_secrets(f"postgresql://u:{CANARY}@h/d")
    logger = logging.Logger("s10", logging.DEBUG)
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        raise RuntimeError(f"driver said: password={CANARY} {CANARY}")
    except RuntimeError:
        logger.debug("connect %s", {"password": CANARY, "dsn": f"x://u:{CANARY}@h"}, exc_info=True)
    told = capsys.readouterr().err
    assert "driver said" in told
    assert CANARY not in told
    assert HEADERS
