"""Runs migrations on the connection that `service.store.migrate` hands over; Alembic imports this file."""

from __future__ import annotations

from alembic import context

from service.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a column by copying its table.
    render_as_batch=True,
)
context.run_migrations()
