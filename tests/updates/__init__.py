"""Releases made for tests, and projects that are updated from one to the other."""
