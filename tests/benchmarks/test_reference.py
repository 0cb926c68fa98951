from fastapi.testclient import TestClient

from benchmarks.users.reference import create_app
from benchmarks.users.reference_server import Setup, setups
from tests.fakes import FakeClassifier, expected_sentiment


def test_the_reference_server_answers_classify_requests() -> None:
    classifier = FakeClassifier()
    with TestClient(create_app(classifier, at_once=2)) as client:
        assert client.get("/readyz").status_code == 200
        answer = client.post("/v1/classify", json={"review_text": "good"})
        assert answer.json()["sentiment"] == expected_sentiment("good")
        assert client.post("/v1/classify", json={}).status_code == 422
    assert classifier.batches == [1]


def test_no_setup_is_tried_twice() -> None:
    assert setups(2) == [Setup(2, 1), Setup(1, 2), Setup(2, 2), Setup(1, 40)]
    assert setups(1) == [Setup(1, 1), Setup(1, 2), Setup(1, 40)]
