"""What we owe to others and they to us: how often an API is asked, and when one that fails is left alone."""
