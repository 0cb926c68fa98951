"""Statements about the cache of predictions; `leases.claim` reads it and `leases.complete` adds to it.

The key is the sha256 of a model's fingerprint and a text, so the table contains no text. The table is unlogged: writes
cost less, and a crash of the server empties it.
"""

from datetime import timedelta

from sqlalchemy import Connection, text

BATCH = 10_000

#: Parts of `leases.claim`: columns and join that look up the text `sent.text`. OFFSET and LIMIT keep the planner from
#: flattening the subqueries: one hash for each text, and one index look-up.
FOUND = "hashed.key, known.label, known.probabilities, known.stage, known.tokens, known.truncated, known.warnings"
JOIN = """CROSS JOIN LATERAL (
    SELECT sha256(CAST(:fingerprint AS bytea) || convert_to(sent.text, 'UTF8')) AS key OFFSET 0
) AS hashed
LEFT JOIN LATERAL (SELECT * FROM prediction_cache WHERE key = hashed.key LIMIT 1) AS known ON true"""

#: A part of `leases.complete`: store each `outcome` that has a key, sorted, since inserted rows are locked in order.
KEEP = """
    INSERT INTO prediction_cache (key, label, probabilities, stage, tokens, truncated, warnings)
    SELECT decode(cache_key, 'hex'), label, probabilities, stage, tokens, truncated, warnings
    FROM outcome
    WHERE cache_key IS NOT NULL ORDER BY cache_key
    ON CONFLICT (key) DO NOTHING
"""

_PRUNE = text("""
WITH surplus AS (SELECT created_at FROM prediction_cache ORDER BY created_at DESC OFFSET :rows LIMIT 1)
DELETE FROM prediction_cache WHERE key = ANY (ARRAY(
    SELECT key FROM prediction_cache
    WHERE created_at < now() - :age OR created_at <= (SELECT created_at FROM surplus)
    ORDER BY created_at LIMIT :batch
))
""")


def prune(connection: Connection, rows: int, age: timedelta) -> bool:
    """Delete a batch of predictions beyond `rows` or `age`, oldest first; return whether there may be more."""
    parameters = {"rows": rows, "age": age, "batch": BATCH}
    return connection.execute(_PRUNE, parameters).rowcount == BATCH
