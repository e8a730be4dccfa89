"""One use case per function: load, decide, save."""
