"""Price venues over HTTP, one Protocol."""
