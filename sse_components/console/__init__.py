"""The operator's console: who is connected, what is published, and why not."""
