"""Networks as files of other software: ONNX, OpenVINO, safetensors and Keras."""
