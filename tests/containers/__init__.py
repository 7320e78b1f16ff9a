"""Generated projects in containers, on a real engine; `make containers` runs these tests and nothing else does."""
