"""Landing files once, by content, and reading any format into addressed records."""
