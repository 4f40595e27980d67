"""Access policies: documents read as AWS reads them, compiled once, and decided as AWS decides."""
