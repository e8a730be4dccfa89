"""Where it is kept: Postgres."""
