"""A site of components for the browser tests: an app, its pages, its settings."""
