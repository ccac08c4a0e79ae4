//! SQLite and PostgreSQL: the source of truth.
