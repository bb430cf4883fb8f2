"""What a feed is, and what a silver table is."""
