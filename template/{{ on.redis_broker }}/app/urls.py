"""What the URLs of the settings may start with: this service talks to nothing else."""

STARTS = {"broker_url": ("redis://", "rediss://"), "job_store_url": ("redis://", "rediss://")}
