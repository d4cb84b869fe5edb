"""Reactive models: what is done to rows becomes events, after its commit."""
