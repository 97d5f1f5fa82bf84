"""Rasa Open Source servers: one, a fleet of them, and the platform that brings them along."""
