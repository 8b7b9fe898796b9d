#!/usr/bin/env python3
"""Measure ONNX Runtime's int8 product at the sizes of `make bench`, and print JSON.

One MatMulInteger node, unsigned 8-bit activations [batch, rows] times constant signed 8-bit weights
[rows, outputs], both drawn as 4-bit values, int32 result; no crossbar is emulated. Each figure is the median over
rounds of the best-effort mean of enough calls to fill `--seconds`, rounds interleaved over the sizes.

    python3 -m venv /tmp/onnxruntime && /tmp/onnxruntime/bin/pip install onnxruntime onnx numpy
    /tmp/onnxruntime/bin/python bench/onnxruntime_int8.py
"""

import argparse
import json
import statistics
import sys
import time

try:
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper
except ImportError as missing:
    print(f"{missing}; install with: pip install onnxruntime onnx numpy", file=sys.stderr)
    sys.exit(2)

SIZES = [(64, 10), (256, 64), (256, 256), (1024, 128)]  # rows, outputs
BATCHES = [1, 1024]


def session(rows, outputs, threads, rng):
    """An inference session of one MatMulInteger node with constant weights."""
    weights = rng.integers(-8, 8, (rows, outputs), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [None, rows])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [None, outputs])],
        [helper.make_tensor("w", TensorProto.INT8, [rows, outputs], weights.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return made, weights


def seconds_a_call(made, images, seconds):
    """Mean time of a call over about `seconds` seconds."""
    # Bound once, so that no call pays for Python's conversion of arguments.
    binding = made.io_binding()
    binding.bind_cpu_input("x", images)
    binding.bind_output("y")
    made.run_with_iobinding(binding)
    calls, start = 0, time.perf_counter()
    while True:
        for _ in range(8):
            made.run_with_iobinding(binding)
        calls += 8
        elapsed = time.perf_counter() - start
        if elapsed > seconds:
            return elapsed / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--seconds", type=float, default=0.002)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()

    rng = np.random.default_rng(1)
    cases = []
    for threads in arguments.threads:
        for rows, outputs in SIZES:
            made, weights = session(rows, outputs, threads, rng)
            for batch in BATCHES:
                images = rng.integers(0, 16, (batch, rows), dtype=np.uint8)
                got = made.run(None, {"x": images})[0]
                if not np.array_equal(got, images.astype(np.int32) @ weights.astype(np.int32)):
                    print(f"wrong product at {rows}x{outputs}", file=sys.stderr)
                    return 1
                cases.append((threads, rows, outputs, batch, made, images, []))
    for _ in range(arguments.rounds):
        for *_, made, images, times in cases:
            times.append(seconds_a_call(made, images, arguments.seconds))
    results = [
        {
            "rows": rows,
            "outputs": outputs,
            "batch": batch,
            "threads": threads,
            "seconds": statistics.median(times),
            "gmac_per_second": rows * outputs * batch / statistics.median(times) / 1e9,
            "best_gmac_per_second": rows * outputs * batch / min(times) / 1e9,
        }
        for threads, rows, outputs, batch, _, _, times in cases
    ]
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "results": results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
