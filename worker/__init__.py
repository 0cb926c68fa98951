"""Claim, predict and store reviews. The variable turns off the telemetry of ONNX Runtime, which reads it on import."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
