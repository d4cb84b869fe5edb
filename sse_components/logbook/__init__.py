"""What staff can look up: who was connected, and how far each connection got.

Each process that serves streams tells it once a second, by events of groups that nobody
else hears. So it is kept as long as events are, and outlives the process.
"""
