"""The scorecard: the warehouse's stock against the truth of the simulated retailer, beside common shortcuts."""
