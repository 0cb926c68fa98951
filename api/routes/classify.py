"""`POST /v1/classify`: one review in, its sentiment out, through the same queue as jobs."""

from fastapi import APIRouter, Request, Response

from api.errors import ClassificationFailed, NotInTime
from api.http.idempotency import OptionalKey
from api.problems import refusals
from api.routes.jobs import submit_job
from api.schemas import ClassifyIn, ClassifyOut, JobIn, ReviewIn
from api.state import StateDep
from api.submission import SUBMIT_ERRORS, SubmitRoute, new_job
from db.jobs import FINAL

router = APIRouter(prefix="/v1", tags=["classify"], route_class=SubmitRoute)


@router.post("/classify", responses=refusals(*SUBMIT_ERRORS, NotInTime, ClassificationFailed))
async def classify(
    body: ClassifyIn, request: Request, response: Response, state: StateDep, key: OptionalKey
) -> ClassifyOut:
    """Classify one review: wait for its turn in the queue, and answer with its sentiment."""
    job_in = JobIn(reviews=[ReviewIn(text=body.review_text)], model=body.model, similar=body.similar)
    new = new_job(job_in, state, pointer="/review_text")
    job = await submit_job(request, new, body.model, response, key, state.settings.max_wait_seconds)
    location = {"Location": job.urls.self}
    if job.status not in FINAL or not job.results:
        raise NotInTime(job.warning, headers=location)
    [result] = job.results
    if result.sentiment is None or result.confidence is None:
        raise ClassificationFailed(headers=location)
    response.headers.update(location)
    return ClassifyOut(
        sentiment=result.sentiment,
        confidence=result.confidence,
        warnings=result.warnings,
        similar_reviews=result.similar_reviews,
    )
