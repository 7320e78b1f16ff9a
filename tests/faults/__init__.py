"""Break running services on purpose, and check the books: one driver, a table of faults, a table of subjects."""
