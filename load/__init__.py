"""Frames to warehouse: bulk copy, merge, one transaction. One module per engine."""
