"""A ready-made server for comparison: FastAPI over ONNX Runtime, the same int8 network, no queue and no database.

`python -m benchmarks.users.reference --port 8100`. One process; the endpoint runs in FastAPI's threads and predicts
each review alone. The network reads every review, since ready-made servers have no first stage.
"""

import os
from pathlib import Path
from typing import Annotated

import anyio.to_thread
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from inference import onnx
from inference.classifier import Classifier, Prediction
from inference.loading import tokeniser_of
from inference.manifest import load_manifest
from local import embedded
from settings import WorkerSettings


class ReferenceReview(BaseModel):
    """The body of `POST /v1/classify`."""

    review_text: str


class ReferenceAnswer(BaseModel):
    """The answer of `POST /v1/classify`, as far as it is needed."""

    sentiment: str
    confidence: float


def network(folder: Path, threads: int) -> Classifier:
    """Load the network of a model folder without the stages before it."""
    manifest = load_manifest(folder)
    return onnx.load(folder, manifest.info(), tokeniser_of(folder, manifest), pad_id=manifest.pad_id, threads=threads)


def predict(classifier: Classifier, text: str) -> Prediction:
    """Predict one review alone."""
    batch = classifier.tokenise([text])
    return classifier.postprocess(batch, classifier.forward(batch))[0]


def create_app(classifier: Classifier, at_once: int) -> FastAPI:
    """Return the application, which serves requests in `at_once` threads."""
    app = FastAPI()

    @app.post("/v1/classify")
    def classify(body: ReferenceReview) -> ReferenceAnswer:
        answer = predict(classifier, body.review_text)
        return ReferenceAnswer(sentiment=answer.sentiment, confidence=answer.confidence)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = at_once
        return {"status": "ready"}

    return app


def main(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on loopback.")] = 8100,
    threads: Annotated[int, typer.Option(min=0, help="Threads of an inference; 0: one for each CPU.")] = 1,
    at_once: Annotated[int, typer.Option(min=1, help="Requests served at once; FastAPI's own default is 40.")] = 40,
) -> None:
    """Serve `POST /v1/classify` without a queue."""
    classifier = network(WorkerSettings().model_directory(), threads or len(os.sched_getaffinity(0)))
    predict(classifier, "warm " * 400)
    uvicorn.run(create_app(classifier, at_once), host=embedded.LOOPBACK, port=port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
