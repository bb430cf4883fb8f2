"""Silver's transforms, file by file: what is one unit of work, and the ways of getting it done."""
