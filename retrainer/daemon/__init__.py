"""The scheduler that keeps running: what is due, who works on it, when to stop."""
