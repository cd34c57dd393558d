"""Writes tiny.onnx (two convolutions, ReLU, global mean) and what onnxruntime makes of a pattern:
pip install onnx onnxruntime numpy."""
import json
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(5)
weights = {
    "w1": rng.normal(0, 0.3, (6, 3, 3, 3)), "b1": rng.normal(0, 0.1, 6),
    "w2": rng.normal(0, 0.2, (8, 6, 3, 3)), "b2": rng.normal(0, 0.1, 8),
}
nodes = [
    helper.make_node("Conv", ["pixels", "w1", "b1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c1"], ["r1"]),
    helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c2"], ["r2"]),
    helper.make_node("GlobalAveragePool", ["r2"], ["pooled"]),
    helper.make_node("Flatten", ["pooled"], ["features"], axis=1),
]
graph = helper.make_graph(
    nodes, "tiny",
    [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 16, 16])],
    [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 8])],
    [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, "tiny.onnx")

pixels = (np.arange(2 * 3 * 16 * 16) * 37 % 256).reshape(2, 16, 16, 3).astype(np.uint8)
planes = (pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255 - 0.5) / 0.5
features = onnxruntime.InferenceSession("tiny.onnx").run(None, {"pixels": planes})[0]
with open("tiny.json", "w") as file:
    json.dump(features.tolist(), file)
