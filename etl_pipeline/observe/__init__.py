"""Run records, metrics and alerts: told, never asks, never fails a run."""
