"""A long job, in a thread of the server: in a project it would be a task queue's."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import nullcontext
from datetime import timedelta
from math import isqrt

from django.db import connections
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from project.demo.models import LOST_SECONDS, Job
from sse_components import ComponentDispatcher
from sse_components.errors import BrokerUnavailable
from sse_components.models import suppress_events

STEPS = 100
STEP = 1000
"""Numbers that a step looks at."""
PAUSE_SECONDS = 0.1
"""Before each step, as the numbers alone are soon counted."""
SAVED_AFTER = 10
"""Steps."""
MOST = 20
"""At work in this process at once."""

THREAD = "demo-job"

logger = logging.getLogger(__name__)


def start(owner: str) -> bool:
    """Have a visitor's job run; return whether there was a place for it."""
    if sum(thread.name == THREAD for thread in threading.enumerate()) >= MOST:
        return False
    if job := _begun(owner):
        threading.Thread(target=_run, args=[job], name=THREAD).start()
    return True


def cancel(owner: str) -> None:
    """Ask a visitor's job to end, whichever process runs it; it tells when it has."""
    with suppress_events():
        running = Job.objects.filter(owner=owner, state=Job.State.RUNNING)
        running.update(state=Job.State.CANCELLING)


def _begun(owner: str) -> Job | None:
    """Return a visitor's job if it didn't run and is ours to run now."""
    now = timezone.now()
    fresh = {"state": Job.State.RUNNING, "done": 0, "found": 0, "seen": now}
    job, is_new = Job.objects.get_or_create(owner=owner, defaults=fresh)
    if is_new:
        return job
    runs = Q(state__in=[Job.State.RUNNING, Job.State.CANCELLING])
    runs &= Q(seen__gt=now - timedelta(seconds=LOST_SECONDS))
    idle = Job.objects.filter(~runs, pk=job.pk)
    if not idle.update(run=F("run") + 1, **fresh):
        return None
    job.refresh_from_db()
    return job


def _run(job: Job) -> None:
    mine = Job.objects.filter(pk=job.pk, run=job.run)
    try:
        state = _work(job, mine)
        stops = state == Job.State.INTERRUPTED
        with suppress_events() if stops else nullcontext():  # nobody hears it any more
            _save(job, mine, state=state)
    finally:
        connections.close_all()


def _work(job: Job, mine: QuerySet[Job]) -> Job.State:
    """Do all steps; return how it has ended."""
    while job.done < STEPS:
        time.sleep(PAUSE_SECONDS)
        if not threading.main_thread().is_alive():  # the process waits for this thread
            return Job.State.INTERRUPTED
        if not mine.filter(state=Job.State.RUNNING).exists():
            return Job.State.CANCELLED
        job.found += _primes_from(job.done * STEP)
        job.done += 1
        _push(job)
        if job.done % SAVED_AFTER == 0:
            with suppress_events():  # the pages know
                _save(job, mine)
    return Job.State.FINISHED


def _push(job: Job) -> None:
    """Tell the pages, which need no more than this to show it."""
    progress = {"done": job.done, "found": job.found}
    try:
        ComponentDispatcher.sync.data_changed(job.group_instance(), progress)
    except BrokerUnavailable as error:
        logger.debug("Nobody heard that %s is at %s %%: %s", job, job.done, error)


def _save(job: Job, mine: QuerySet[Job], **more: str) -> None:
    mine.update(done=job.done, found=job.found, seen=timezone.now(), **more)


def _primes_from(first: int) -> int:
    numbers = range(max(first, 2), first + STEP)
    return sum(all(n % d for d in range(2, isqrt(n) + 1)) for n in numbers)
