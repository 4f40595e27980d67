"""What every metadata engine promises: see `store/metadata/base.py`."""

from sqlalchemy import func, insert, select

from entrepot.store.metadata.base import Database
from entrepot.store.metadata.schema import account


async def test_written_rows_are_read_back_by_another_connection(database: Database, second_database: Database) -> None:
    row = {"id": "123456789012", "name": "first", "access_epoch": 1, "created_at": 2}
    await database.write(lambda connection: connection.execute(insert(account), [row]))
    count = await second_database.read(lambda connection: connection.scalar(select(func.count()).select_from(account)))
    assert count == 1
