"""The HTTP front door: what other systems push to us."""
