"""Outside world to files we own: folders, APIs, databases, the simulated retailer. Repairs nothing."""
