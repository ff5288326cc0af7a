"""What the server should answer: its jobs as plain values, its queue as a sorted list. Jobs of one step are done once
it is their turn, the others go on until somebody ends them; `timeout_s` here is too short for any."""

import dataclasses


def whatever(_):
    return True


def number(value):
    return isinstance(value, (int, float)) and value >= 0


def contains(part):
    return lambda value: isinstance(value, str) and part in value


@dataclasses.dataclass
class Job:
    id: str
    owner: str
    fields: dict
    sequence: int
    remixed_from: str = None
    status: str = "queued"
    error: str = None

    @property
    def live(self):
        return self.status in ("queued", "in_progress")

    @property
    def priority(self):
        return self.fields["priority"]


class Reference:
    def __init__(self):
        self.jobs = {}
        self.places = {}  # of all jobs, also those that are gone: owner, sequence
        self.keys = {}  # owner and Idempotency-Key: what it came with, id of the job
        self.running = None

    def line(self):
        waiting = [job for job in self.jobs.values() if job.live and job is not self.running]
        return sorted(waiting, key=lambda job: (-job.priority, job.sequence))

    def settle(self):
        """Lets everything happen that happens by itself."""
        while line := self.line():
            if self.running and line[0].priority <= self.running.priority:
                return
            job = line[0]
            quick = job.fields["num_inference_steps"] == 1
            job.status = "completed" if quick else "in_progress"
            if not quick:
                self.running = job

    def submit(self, id, owner, fields, remixed_from=None, error=None):
        job = Job(id, owner, fields, len(self.places), remixed_from)
        self.jobs[id], self.places[id] = job, (owner, job.sequence)
        if error or "timeout_s" in fields:
            self.end(job, error or "timeout")
        self.settle()
        return job

    def end(self, job, error):
        if not job.live:
            return
        job.status, job.error = "failed", error
        self.running = None if job is self.running else self.running
        self.settle()

    def remove(self, job):
        """What the server answers then."""
        self.end(job, "cancelled")
        del self.jobs[job.id]
        self.keys = {key: known for key, known in self.keys.items() if known[1] != job.id}
        return {**self.video(job), "object": "video.deleted", "deleted": True, "status": "deleted", "url": None,
                "file_path": None, "file_paths": None}

    def find(self, owner, id):
        job = self.jobs.get(id)
        return job if job and job.owner == owner else None

    def page(self, owner, after, limit, order):
        ids = sorted((job.id for job in self.jobs.values() if job.owner == owner),
                     key=lambda id: self.places[id][1], reverse=order == "desc")
        if after:
            whose, at = self.places.get(after, (None, 0))
            ids = [id for id in ids if whose == owner
                   and (self.places[id][1] > at if order == "asc" else self.places[id][1] < at)]
        return ids[:limit], len(ids) > limit

    def counts(self):
        statuses = [job.status for job in self.jobs.values()]
        return {status: statuses.count(status) for status in ("queued", "in_progress")}

    def view(self):
        places = {job.id: place for place, job in enumerate(self.line())}
        return {job.id: (job.status, places.get(job.id)) for job in self.jobs.values()}

    def video(self, job):
        """The object of a job: values, or what they must be."""
        asked, running, done = job.fields, job.status == "in_progress", job.status == "completed"
        at_work = number if running else None
        some_time = whatever if job.live else None  # left
        n = asked.get("n", 1)
        seed = asked.get("seed", number if n == 1 else whatever)
        return {
            "id": job.id, "object": "video", "model": asked.get("model", "fake"), "status": job.status,
            "created_at": number, "expires_at": None if job.live else number,
            "progress": 100 if done else 0 if job.status == "queued" else lambda got: 0 <= got < 100,
            "queue_position": self.view()[job.id][1] if job.live else None,
            "stage": (lambda got: got in ("text_encode", "denoise")) if running else None,
            "step": at_work, "total_steps": at_work, "eta_seconds": some_time,
            "completed_at": number if done else None, "inference_time_s": number if done else None,
            "url": contains(f"/v1/videos/{job.id}/content") if done else None,
            "peak_memory_mb": None, "prompt": asked["prompt"], "size": asked["size"], "fps": 16,
            "error": (lambda got: got and got["code"] == job.error) if job.error else None,
            "seconds": str(round(asked["num_frames"] / 16)), "num_frames": asked["num_frames"], "num_outputs": n,
            "seed": seed if n == 1 or "seed" not in asked else [seed + i for i in range(n)],
            "quality": "standard", "priority": job.priority, "timeout_s": asked.get("timeout_s"),
            "inputs": whatever, "remixed_from_video_id": job.remixed_from, "action": None,
            "file_path": contains(job.id) if done else None,
            "file_paths": (lambda got: isinstance(got, list) and len(got) == n) if done else None}


def differences(expected, got):
    keys = expected.keys() | got.keys()
    missing = object()
    for key in sorted(keys):
        want, value = expected.get(key, missing), got.get(key, missing)
        if value is missing or not (want(value) if callable(want) else want == value):
            yield key, want, value
