"""Names of schemas and roles. Untrusted text becomes a name here or not at all."""

import re
from dataclasses import dataclass

from etl_pipeline.core.errors import UsageError

SAFE_NAME = re.compile(r"^[a-z][a-z0-9_]{0,47}$")
LAYERS = ("bronze", "silver", "gold", "ops")
PROD = "prod"
FIXED_PATH = "-c search_path=pg_catalog,pg_temp"
"""Option of every connection of ours: nobody's function, operator or table is taken for the server's own."""


def safe_name(text: str, what: str) -> str:
    """Return the text if it is a safe name; raise UsageError otherwise."""
    if not SAFE_NAME.match(text):
        raise UsageError(
            f"{what} {text[:60]!a} is not a safe name: use small letters, digits and underscores, starting with a "
            "letter, 48 at most."
        )
    return text


@dataclass(frozen=True)
class Schemas:
    """The schemas of one environment; prod has the plain names."""

    env: str
    bronze: str
    silver: str
    gold: str
    ops: str

    @classmethod
    def of(cls, env: str | None) -> "Schemas":
        """Return the schemas of an environment."""
        name = safe_name(env or PROD, "environment")
        prefix = "" if name == PROD else f"{name}_"
        return cls(name, *(prefix + layer for layer in LAYERS))

    def render(self, statement: str) -> str:
        """Fill the marks {{ silver }} and so on of an SQL text with this environment's schemas.

        The names come from SAFE_NAME, so quoting them is enough; nothing else is filled in.
        """
        for layer in LAYERS:
            name = str(getattr(self, layer))
            statement = re.sub(r"\{\{\s*" + layer + r"\s*\}\}", safe_name(name, "schema"), statement)
        return statement
