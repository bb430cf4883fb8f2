"""The page that people open in the morning: gold, told in sentences, plots and short tables."""
