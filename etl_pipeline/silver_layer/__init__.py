"""Pure transforms: text frames in, typed facts out. No database, file, clock or network."""
