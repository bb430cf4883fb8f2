"""From an event of GitHub to what is done about it: plan, claim, run, tell."""
