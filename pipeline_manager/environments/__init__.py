"""Environments: isolated copies of prod to try a feed or a change in, and to throw away."""
