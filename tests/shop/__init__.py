"""Reactive models of every kind, for the tests."""
