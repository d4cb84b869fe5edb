"""A site that shows the bookshop, for tests in a browser."""
