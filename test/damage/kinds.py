"""Every kind of damage: importing the modules registers them, in this order."""

from test.damage import polluting_bytes, polluting_records, polluting_tables
from test.damage.polluter import KINDS, Polluted, corpus

__all__ = ["KINDS", "Polluted", "corpus", "polluting_bytes", "polluting_records", "polluting_tables"]
