"""A long job that can be watched."""

from __future__ import annotations

from project.demo import jobs
from project.demo.models import Job, job_group
from project.demo.owners import owner_of
from sse_components import ReactiveComponent, public


class LongJob(ReactiveComponent):
    """How far it is gets pushed, and is bound in the page; how it ends is fetched."""

    done = public(0)
    found = public(0)
    template_name = "demo/long_job.html"
    fault = ""

    def load(self) -> None:
        self.owner = owner_of(self.request)
        self.job = Job.objects.filter(owner=self.owner).first()
        self.phase = self.job.phase if self.job else ""
        self.runs = self.phase in (Job.State.RUNNING, Job.State.CANCELLING)
        if self.job:
            self.done, self.found = self.job.done, self.job.found

    def get_subscription(self) -> str:
        return job_group(self.owner)

    @public
    def start(self) -> None:
        is_begun = jobs.start(self.owner)
        self.fault = "" if is_begun else "Too many are at work. Try again in a moment."

    @public(update=False)
    def cancel(self) -> None:
        jobs.cancel(self.owner)

    @public
    def look(self) -> None:
        """Rendering looks whether it still runs."""
