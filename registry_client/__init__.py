"""What another program imports to call the registry: over HTTP, and the types of what it sends and gets."""
