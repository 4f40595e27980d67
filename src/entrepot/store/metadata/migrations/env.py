"""Alembic's way in: runs the revisions on the connection and in the transaction that `migrate.py` began."""

from __future__ import annotations

from alembic import context

from entrepot.store.metadata.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
context.run_migrations()
