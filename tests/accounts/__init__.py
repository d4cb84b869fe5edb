"""An app with a user model of its own, for sites that have one."""
