"""What the guarantee costs: each generated service beside its library alone, in one run (`make bench`)."""
