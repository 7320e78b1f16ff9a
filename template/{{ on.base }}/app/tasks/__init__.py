"""Tasks of this service, one file per noun; every module in here is found by itself."""
