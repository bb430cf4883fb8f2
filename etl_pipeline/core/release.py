"""Which release of SyStock this code is."""

RELEASE = "0.2.0"
