"""Our own rules: sizes, names, imports, fresh pages, documented settings and errors."""
