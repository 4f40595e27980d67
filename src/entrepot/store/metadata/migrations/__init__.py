"""Schema migrations: run by Alembic, see `store/metadata/migrate.py`."""
