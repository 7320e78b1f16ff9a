"""Run a rendered service for real: its broker, its API, its worker, in a project of its own."""
