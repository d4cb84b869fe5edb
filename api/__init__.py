"""The REST API for other systems."""
