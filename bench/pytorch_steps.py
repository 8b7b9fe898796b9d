#!/usr/bin/env python3
"""Measure PyTorch's training steps a second on the CPU for the bench of the training lab, one line of JSON a request.

The network is the lab's: layers of `sizes`, ReLU between them, cross-entropy, Adam at 0.001, batches of 64 images gathered from a
tensor in memory in a shuffled order, gradients by autograd. Adam is the plain one, the one over lists of tensors (foreach) or the fused
one, as asked. Images are read from a file of float32, labels from one of bytes.

    pip install torch numpy          (https://download.pytorch.org/whl/cpu has a build without CUDA, a tenth of the size)
    python bench/pytorch_steps.py --images IMAGES.f32 --labels LABELS.u8

then on the standard input, a line a request, {"sizes": [784, 100, 100, 10], "threads": 1, "adam": "fused", "steps": 900}; the answer
is {"seconds": ..., "loss": ...}, loss being the mean of the steps.
"""

import argparse
import json
import sys
import time

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"{missing}; install with: pip install torch numpy", file=sys.stderr)
    sys.exit(2)

BATCH = 64


def network(sizes):
    """Linear layers with ReLU between them, started as the lab starts them: uniform, variance 2 / inputs."""
    torch.manual_seed(0)
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        linear = torch.nn.Linear(inputs, outputs)
        torch.nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def measure(request, images, labels):
    """Seconds of so many steps, the network made and the order drawn before the clock starts."""
    torch.set_num_threads(request["threads"])
    model = network(request["sizes"])
    kinds = {name: request["adam"] == name for name in ("foreach", "fused")}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, **kinds)
    criterion = torch.nn.CrossEntropyLoss()
    order = torch.randperm(len(labels))
    batches = [order[at : at + BATCH] for at in range(0, len(labels) - BATCH + 1, BATCH)]
    total = torch.zeros(())
    start = time.perf_counter()
    for step in range(request["steps"]):
        rows = batches[step % len(batches)]
        loss = criterion(model(images[rows]), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "loss": total.item() / request["steps"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True)
    parser.add_argument("--labels", required=True)
    arguments = parser.parse_args()
    labels = torch.from_numpy(np.fromfile(arguments.labels, dtype=np.uint8).astype(np.int64))
    images = torch.from_numpy(np.fromfile(arguments.images, dtype=np.float32).reshape(len(labels), -1))
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(json.loads(line), images, labels)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
