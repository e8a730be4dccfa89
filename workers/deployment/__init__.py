"""Our contracts onto a chain: what stands there, what is missing, and the transactions that make it whole."""
