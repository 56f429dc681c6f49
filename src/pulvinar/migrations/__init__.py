"""The history of the tables, for Alembic; one history for SQLite and PostgreSQL."""
