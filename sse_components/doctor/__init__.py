"""The doctor: what keeps streams from working where no system check can see it."""
