"""onnxruntime as we use it: on the processor, repeatable, and silent.

Its package that we lock (1.32) begins telemetry when it is loaded: it writes a device's id and a base of events into
the user's cache, and holds the address that they go to. A plane sends nothing that its tenant did not ask for (promises
9 and 10), so this is the only place that imports onnxruntime, with that switched off before it can begin.
"""

from __future__ import annotations

import os
from typing import Any, Final

SWITCH: Final = "ORT_DISABLE_TELEMETRY"
"""Read by the library when it is loaded; calling its function afterwards is too late, the device's id is written."""


def runtime() -> Any:
    """The module. Raises ImportError where it is not installed."""
    os.environ[SWITCH] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def session(model: bytes, *, threads: int) -> Any:
    """A model ready to run.

    Args:
        model: the ONNX file's bytes.
        threads: how many compute one text; 1 gives the same sums in the same order each time.
    """
    ort = runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
