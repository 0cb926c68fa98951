"""Claims, judges and stores. ONNX Runtime would send usage data home: the variable is read when it is imported."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
