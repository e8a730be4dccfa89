"""The chain's own language: bytes and values, and a node that speaks it."""
