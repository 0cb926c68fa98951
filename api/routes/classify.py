"""The short form: one review in, its sentiment out, through the same queue as everything."""

from fastapi import APIRouter, Request, Response

from api.errors import REFUSALS, NotInTime, NotJudged, refusals
from api.http.idempotency import OptionalKey
from api.routes.jobs import submit_job
from api.schemas import ClassifyIn, ClassifyOut, JobIn, ReviewIn
from api.state import StateDep
from api.submission import SubmitRoute, new_job
from db.jobs import FINAL

router = APIRouter(prefix="/v1", tags=["classify"], route_class=SubmitRoute, responses=REFUSALS)


@router.post("/classify", responses=refusals(429, 504))
async def classify(
    body: ClassifyIn, request: Request, response: Response, state: StateDep, key: OptionalKey
) -> ClassifyOut:
    """Classify one review; waits for its turn in the same queue."""
    job_in = JobIn(reviews=[ReviewIn(text=body.review_text)], model=body.model, similar=body.similar)
    new = new_job(job_in, state, pointer="/review_text")
    job = await submit_job(request, new, body.model, response, key, state.settings.max_wait_seconds)
    where = {"Location": job.urls.self}
    if job.status not in FINAL or not job.results:
        raise NotInTime(job.warning, headers=where)
    [answer] = job.results
    if answer.sentiment is None or answer.confidence is None:
        raise NotJudged(headers=where)
    response.headers.update(where)
    return ClassifyOut(
        sentiment=answer.sentiment,
        confidence=answer.confidence,
        warnings=answer.warnings,
        similar_reviews=answer.similar_reviews,
    )
