#!/usr/bin/env python3
"""Measure ONNX Runtime's int8 form of a dense network at the sizes of `make bench`, and print JSON.

One QGemm node a hidden layer (unsigned 8-bit activations times signed 8-bit weights, 32-bit biases, one scale) with a Min
that keeps its codes to 4 bits, MatMulInteger and ArgMax for the last. Weights, biases and images are drawn as 4-bit values,
since no time depends on them; the scale is a power of two, so that numpy computes the same exactly, which is checked.
Each figure is the fastest of the given batch sizes; rounds are interleaved over them.

    python3 -m venv /tmp/onnxruntime && /tmp/onnxruntime/bin/pip install onnxruntime onnx numpy
    /tmp/onnxruntime/bin/python bench/onnxruntime_network.py --sizes 784 100 100 10
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

SHIFT = 5  # of a hidden layer's sums


def session(layers, threads):
    """An inference session of the layers, each weights [inputs, outputs] and biases."""
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [2.0**SHIFT]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [0]),
        helper.make_tensor("signed_zero", TensorProto.INT8, [], [0]),
        helper.make_tensor("largest", TensorProto.UINT8, [], [15]),
    ]
    nodes, codes = [], "x"
    for at, (weights, biases) in enumerate(layers):
        constants.append(helper.make_tensor(f"w{at}", TensorProto.INT8, weights.shape, weights.tobytes(), raw=True))
        if at + 1 == len(layers):
            nodes.append(helper.make_node("MatMulInteger", [codes, f"w{at}"], ["product"]))
            constants.append(helper.make_tensor("b", TensorProto.INT32, biases.shape, biases.tobytes(), raw=True))
            nodes.append(helper.make_node("Add", ["product", "b"], ["sums"]))
            nodes.append(helper.make_node("ArgMax", ["sums"], ["class"], axis=1, keepdims=0))
            break
        constants.append(helper.make_tensor(f"b{at}", TensorProto.INT32, biases.shape, biases.tobytes(), raw=True))
        inputs = [codes, "one", "zero", f"w{at}", "one", "signed_zero", f"b{at}", "scale", "zero"]
        nodes.append(helper.make_node("QGemm", inputs, [f"q{at}"], domain="com.microsoft", alpha=1.0))
        nodes.append(helper.make_node("Min", [f"q{at}", "largest"], [f"c{at}"]))
        codes = f"c{at}"
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [None, layers[0][0].shape[0]])],
        [
            helper.make_tensor_value_info("sums", TensorProto.INT32, [None, layers[-1][0].shape[1]]),
            helper.make_tensor_value_info("class", TensorProto.INT64, [None]),
        ],
        constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def expected(layers, images):
    """The same sums by numpy."""
    codes = images.astype(np.int32)
    for weights, biases in layers[:-1]:
        sums = codes @ weights.astype(np.int32) + biases
        codes = np.clip(np.rint(sums / 2.0**SHIFT), 0, 15).astype(np.int32)
    weights, biases = layers[-1]
    return codes @ weights.astype(np.int32) + biases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[784, 100, 100, 10])
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--batches", type=int, nargs="+", default=[250, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()

    rng = np.random.default_rng(1)
    layers = [
        (rng.integers(-8, 8, (inputs, outputs), dtype=np.int8), rng.integers(-120, 120, outputs, dtype=np.int32))
        for inputs, outputs in zip(arguments.sizes, arguments.sizes[1:])
    ]
    images = rng.integers(0, 16, (arguments.images, arguments.sizes[0]), dtype=np.uint8)
    want = expected(layers, images)
    cases = []
    for threads in arguments.threads:
        made = session(layers, threads)
        sums, classes = made.run(None, {"x": images})
        if not (np.array_equal(sums, want) and np.array_equal(classes, want.argmax(axis=1))):
            print("ONNX Runtime and numpy differ", file=sys.stderr)
            return 1
        for batch in arguments.batches:
            cases.append((threads, batch, made, []))
    for _ in range(arguments.rounds):
        for _, batch, made, times in cases:
            start = time.perf_counter()
            for first in range(0, arguments.images, batch):
                made.run(None, {"x": images[first : first + batch]})
            times.append(time.perf_counter() - start)
    results = []
    for threads in arguments.threads:
        of = [(min(times), statistics.median(times), batch) for count, batch, _, times in cases if count == threads]
        best, median, batch = min(of)
        results.append({"threads": threads, "batch": batch, "seconds": median, "best_seconds": best})
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "results": results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
