"""500 hostile texts, made from templates, the same each time. Each has a mark by which it is found again."""

import re

MARK = "zqx"
_TEMPLATES = (
    "'; drop table silver.record; --{m}",
    '"; drop table silver.record; --{m}',
    "') ; delete from bronze.block; /*{m}*/",
    "{m}' or '1'='1",
    '{m}" or ""="',
    "{m}\\'; select pg_sleep(9); --",
    "$${m}$$; drop schema gold cascade; $${m}$$",
    "$x${m}$x$ || version()",
    "{m}; copy (select 1) to program 'id'",
    "{m}%s%(x)s%%d%n",
    "{m} {{0}} {{x.__class__.__mro__}} {{{{ silver }}}} {{% raw %}}",
    "${{{m}}} `id` $(id) ${{IFS}}",
    "{m}\n; drop table ops.batch;\n--",
    "{m}\r\nX-Header: y",
    "{m}\ttab\x0bvertical\x0cfeed",
    "{m}\x00nul",
    "{m}\x1b[2J\x1b]0;title\x07",
    "{m}\u202egnp.\u2066x\u2069",
    "{m}\u2028line\u2029paragraph\x85next",
    "{m}\u02bc or 1=1 \uff07\uff1b \u2018\u2019 \u037e",
    "{m}\u200b\u200d\ufeff\u00ad",
    "{m}\U0001f600\U000e0041 \u0391\u0412\u0421",
    "{m}\ud800half",
    "e\u0301{m}\u00c5\u212b\ufb01",
    "=cmd|' /C calc'!A0{m}",
    "+{m}+1",
    "@SUM({m})",
    "-{m}\t=1",
    "../../../etc/passwd{m}",
    "..\\..\\{m}.csv",
    "/etc/{m}",
    "~root/{m} C:\\{m} \\\\host\\{m}",
    "<script>alert('{m}')</script>",
    "<!channel> <@U1|{m}> &amp; *bold*",
    "[bold red]{m}[/] [link=http://x]{m}",
    "{m}::error::x\n::set-output name={m}::x",
    "!!python/object/apply:os.system ['{m}']",
    "&a [*a] *b <<: {m} ? : - # |",
    "{m}' union select rolname from pg_roles --",
    "{m}'::regclass; set role postgres; --",
    "1e308 {m} NaN infinity",
    "null {m} NULL \\N \\.",
    "\\.\n{m}",
    '{{"a": "{m}", "a": 1}}',
    "{m}\"\"\"'''\\\\",
    "{m}," + "," * 20,
    "{m};|\t;|",
    "select {m} from pg_catalog.pg_shadow",
    "{m}--" + "A" * 70,
    "{m}" + "'" * 3_000,
)
_DRESSES = ("{}", " {} ", "x'{}", 'x"{}', "({})", "{}/*", "E'{}'", "%{}%", "{};", "U&'{}'")


def _made() -> list[str]:
    found = []
    for number, template in enumerate(_TEMPLATES):
        for dress_number, dress in enumerate(_DRESSES):
            body = template.replace("{{", "\x01").replace("}}", "\x02")
            body = body.replace("{m}", f"{MARK}{number}x{dress_number}").replace("\x01", "{").replace("\x02", "}")
            found.append(dress.replace("{}", body))
    return found


PAYLOADS = _made()

_LITERAL = re.compile(r"[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)


def outside_literals(statement: str) -> str:
    """Return a statement without its quoted values: what is left is keywords, names and numbers."""
    return _LITERAL.sub(lambda found: "E" if found.group()[0] in "Ee" else "", statement)
