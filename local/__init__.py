"""The embedded PostgreSQL and Valkey, and the supervisor behind `verdict run`."""
