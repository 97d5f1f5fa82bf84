"""The record of every cycle in one SQL database, SQLite or PostgreSQL."""
