"""Ground floor: errors, settings, names, clock, progress. Imports nothing of ours."""
