"""Carriers of events between processes: one contract, one file for each."""
