"""The order of things, and the commands people type."""
