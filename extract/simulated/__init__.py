"""A small retailer that does not exist: the same seed gives the same files, and the truth is known."""
