"""Tests that run inside a project made of a page: `tests.docs.projects.Project`."""
