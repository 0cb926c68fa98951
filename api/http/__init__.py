"""HTTP: bodies, media types, ranges, idempotency keys, middleware, the request log. Nothing here knows jobs."""
