"""HTTP itself: bodies, media types, ranges, idempotency, middleware, the request log. Knows no job."""
