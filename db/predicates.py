"""SQL conditions that have one meaning in every statement."""

#: Of `workers AS worker`: it was woken through the queue and asked for work within this time. Maintenance wakes every
#: worker at least every 5 s.
LIVE_WORKER = "worker.seen_at > now() - interval '30 s'"

#: Of `jobs`: it has reviews that wait for a worker. Paused jobs wait for their caller, and overdue ones expire.
CLAIMABLE = "queued > 0 AND status <> 'paused' AND (deadline_at IS NULL OR deadline_at > now())"

#: Of `jobs`: it is not final and not paused.
UNFINISHED = "status IN ('queued', 'processing')"
