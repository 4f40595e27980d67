"""Facts: one module of queries per noun, written once for SQLite and PostgreSQL."""
