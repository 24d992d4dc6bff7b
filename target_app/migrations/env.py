"""Alembic's environment: it connects to the database and runs the migrations."""

from alembic import context
from sqlalchemy import create_engine, text

from target_app.core.config import Settings
from target_app.core.database import postgres_url
from target_app.core.work import SCHEMA
from target_app.models.shop import ShopBase


def run_migrations() -> None:
    """Migrate the schema to the requested revision, in one transaction."""
    url = postgres_url(Settings()).set(drivername="postgresql+psycopg")
    engine = create_engine(url, connect_args={"options": f"-csearch_path={SCHEMA}"})
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=ShopBase.metadata,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run_migrations()
