"""What is true: pure functions of values. No clock, no socket, no session."""
