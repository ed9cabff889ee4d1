"""Predictions of compiled networks by every installed engine."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import keras
import numpy as np
import pytest
from nested_models import in_model

from convrnn_model import (
    ConvRNNError,
    activations,
    b_net,
    bl_net,
    compile_network,
    names,
    preprocess_image,
    save_weights,
)
from convrnn_model.inference import predictor as module
from convrnn_model.inference.engine import ENGINES, missing
from convrnn_model.inference.processor import BFLOAT16, processor

RNG = np.random.default_rng(0)
# float32, another summation order.
RTOL = 1e-5
INSTALLED = [
    pytest.param(engine, marks=pytest.mark.skipif(bool(missing(engine)), reason=f"{engine} is not installed"))
    for engine in ENGINES
]
each_engine = pytest.mark.parametrize("engine", INSTALLED)
needs_openvino = pytest.mark.skipif(bool(missing("openvino")), reason="OpenVINO is not installed")


def images(count, height=64, width=64):
    return RNG.uniform(-1, 1, (count, height, width, 3)).astype(np.float32)


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=RTOL, atol=RTOL * np.abs(expected).max())


@each_engine
def test_default_outputs_are_those_of_the_network(engine, network):
    if engine == "tiles" and any(names.is_top_down(layer.name) for layer in network.layers):
        pytest.skip("tiles do not compute top-down connections; see test_choice.py")
    batch = images(3)
    expected = network.predict_on_batch(batch)
    expected = np.stack(expected, axis=1) if isinstance(expected, list) else expected[:, np.newaxis]
    found = compile_network(network, engine=engine).predict(batch)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert_close(found, expected)


@each_engine
@pytest.mark.parametrize("size", [(64, 64), (71, 97)])
def test_values_of_every_kind(engine, size, cumulative_bl):
    wanted = [
        *("RCL_0_BConv", "RCL_1_BConv_Time_1", "RCL_1_LConv_Time_2", "RCL_2_ConvSum_Time_0"),
        *("RCL_2_ConvSum_Time_2", names.batch_norm(3, 1), names.relu(4, 2), names.max_pool(5, 1)),
        *(names.global_pool(2), names.pre_softmax(1), names.cumulative(2), names.softmax(0)),
    ]
    batch = images(2, *size)
    expected = activations(cumulative_bl, wanted).predict_on_batch(batch)
    found = compile_network(cumulative_bl, outputs=wanted, engine=engine).predict(batch)
    assert list(found) == wanted
    for name in wanted:
        assert_close(found[name], expected[name])


@each_engine
def test_groups(engine, cumulative_bl):
    batch = images(2)
    for outputs, name in (
        ("softmax", names.softmax),
        ("pre_softmax", names.cumulative),
        ("features", names.global_pool),
    ):
        found = compile_network(cumulative_bl, outputs=outputs, engine=engine).predict(batch)
        wanted = [name(time) for time in range(3)]
        expected = activations(cumulative_bl, wanted).predict_on_batch(batch)
        assert_close(found, np.stack([expected[n] for n in wanted], axis=1))


@each_engine
def test_one_name_gives_one_array(engine, cumulative_bl):
    name = names.relu(6, 1)
    batch = images(2)
    found = compile_network(cumulative_bl, outputs=name, engine=engine).predict(batch)
    assert_close(found, activations(cumulative_bl, name).predict_on_batch(batch))


@each_engine
@pytest.mark.parametrize(("count", "batch_size"), [(1, None), (3, None), (11, None), (5, 2), (2, 4), (4, 4)])
def test_any_number_of_images(engine, count, batch_size, cumulative_bl):
    batch = images(count)
    found = compile_network(cumulative_bl, engine=engine).predict(batch, batch_size)
    expected = np.stack(cumulative_bl.predict_on_batch(batch), axis=1)
    assert found.shape == (count, 3, 5)
    assert_close(found, expected)


@each_engine
@pytest.mark.parametrize("cumulative", [False, True])
def test_a_file_gives_the_values_of_its_network(engine, cumulative, tmp_path, fill_golden):
    model = bl_net((64, 64, 3), 5, 3, cumulative, width=0.02)
    fill_golden(model)
    save_weights(model, tmp_path / "w.h5")
    batch = images(2)
    for source, options in (
        (model, {}),
        (tmp_path / "w.h5", {"cumulative_readout": cumulative}),
        (str(tmp_path / "w.h5"), {"cumulative_readout": cumulative, "n_timesteps": 2}),
    ):
        found = compile_network(source, engine=engine, **options).predict(batch)
        steps = options.get("n_timesteps", 3)
        assert_close(found, np.stack(model.predict_on_batch(batch), axis=1)[:, :steps])


@each_engine
@pytest.mark.parametrize("threads", [1, 2])
def test_threads(engine, threads, cumulative_bl):
    batch = images(2)
    predictor = compile_network(cumulative_bl, engine=engine, threads=threads)
    assert predictor.plan((64, 64), 2).threads == (None if engine == "keras" else threads)
    assert_close(predictor.predict(batch), np.stack(cumulative_bl.predict_on_batch(batch), axis=1))


@each_engine
def test_threads_may_share_a_predictor(engine, cumulative_bl):
    batches = [
        images(count, side, 64) for count, side in ((1, 64), (3, 64), (2, 70), (8, 64), (1, 80), (2, 64))
    ]
    predictor = compile_network(cumulative_bl, engine=engine)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(predictor.predict, batches))
    for batch, answers in zip(batches, found, strict=True):
        assert_close(answers, np.stack(cumulative_bl.predict_on_batch(batch), axis=1))


@each_engine
def test_only_keras_computes_calls_of_several_threads_at_once(engine, cumulative_bl, monkeypatch):
    predictor = compile_network(cumulative_bl, engine=engine)
    batch = images(1)
    inside = predictor._engine((64, 64), 1)
    counts, counting, run = [0], Lock(), inside.run

    def slow(array):
        with counting:
            counts.append(counts[-1] + 1)
        time.sleep(0.1)
        try:
            return run(array)
        finally:
            with counting:
                counts.append(counts[-1] - 1)

    monkeypatch.setattr(inside, "run", slow)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(predictor.predict, [batch] * 2))
    assert max(counts) == (2 if engine == "keras" else 1)


@each_engine
def test_results_are_not_overwritten_by_later_calls(engine, cumulative_bl):
    predictor = compile_network(cumulative_bl, outputs=[names.softmax(0)], engine=engine)
    first = predictor.predict(images(2))[names.softmax(0)]
    copy = first.copy()
    predictor.predict(images(2))
    np.testing.assert_array_equal(first, copy)


@pytest.mark.parametrize("engine", [param for param in INSTALLED if param.values != ("keras",)])
def test_weights_are_copied_when_a_network_is_compiled(engine):
    model = b_net((64, 64, 3), 5, width=0.02)
    batch = images(1)
    expected = model.predict_on_batch(batch)
    predictor = compile_network(model, engine=engine)
    for variable in model.weights:
        variable.assign(keras.ops.ones(variable.shape))
    assert_close(predictor.predict(batch)[:, 0], expected)


def test_few_engines_are_kept(cumulative_bl):
    predictor = compile_network(cumulative_bl, engine="keras")
    for width in (64, 66, 68, 70, 72, 64):
        predictor.predict(images(1, 64, width))
    assert len(predictor._engines) == module.MOST_ENGINES
    assert ((64, 66), 1) not in predictor._engines
    kept = predictor._engines[(64, 64), 1]
    predictor.predict(images(1))
    assert predictor._engines[(64, 64), 1] is kept


@each_engine
def test_plan(engine, cumulative_bl):
    plan = compile_network(cumulative_bl, engine=engine).plan((70, 64))
    assert (plan.engine, plan.precision, plan.processor) == (engine, "float32", processor())
    assert (plan.image_size, plan.batch_size, plan.why) == ((70, 64), 8, "asked for")
    assert plan.output_shapes == {names.softmax(time): (5,) for time in range(3)}
    assert plan.memory > 4 * sum(
        kernel.size for kernel in cumulative_bl.get_layer("RCL_6_LConv").get_weights()
    )
    assert "\n" not in str(plan)
    for part in (f"engine {engine}", "asked for", "float32", "70 x 64 px in batches of 8", "MiB"):
        assert part in str(plan)


def test_plan_of_a_fixed_image_size():
    predictor = compile_network(b_net((64, 70, 3), 5, width=0.02), engine="keras")
    assert predictor.plan().image_size == (64, 70)
    assert predictor.plan(batch_size=3).batch_size == 3
    assert repr(predictor) == "<Predictor of b_net: keras in float32>"
    with pytest.raises(ConvRNNError, match=r"'any', 64, 70, 3.*got \(1, 64, 64, 3\)"):
        predictor.plan((64, 64))


def test_plan_of_an_unknown_image_size(cumulative_bl):
    with pytest.raises(ConvRNNError, match=r"Pass image_size=\(height, width\)"):
        compile_network(cumulative_bl, engine="keras").plan()


def test_only_float32_is_accepted(cumulative_bl):
    predictor = compile_network(cumulative_bl, engine="keras")
    pixels = RNG.integers(0, 256, (1, 64, 64, 3), np.uint8)
    for wrong in (pixels, pixels / 127.5 - 1, [[1.0]]):
        with pytest.raises(TypeError, match=r"float32 in.*preprocess_image"):
            predictor.predict(wrong)
    assert predictor.predict(preprocess_image(pixels)).shape == (1, 3, 5)
    assert predictor.predict(keras.ops.convert_to_tensor(images(1))).shape == (1, 3, 5)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((64, 64, 3), r"got \(64, 64, 3\)\. Add the batch axis: images\[np.newaxis\]"),
        ((1, 64, 64, 1), r"'any', 'any', 'any', 3\), got \(1, 64, 64, 1\)"),
        ((0, 64, 64, 3), "at least one image"),
        ((1, 63, 64, 3), "halves an image 6 times.*at least 64 px, got 63 x 64"),
    ],
)
def test_images_of_other_shapes(shape, says, cumulative_bl):
    with pytest.raises(ConvRNNError, match=says):
        compile_network(cumulative_bl, engine="keras").predict(np.zeros(shape, np.float32))


@pytest.mark.parametrize("size", [0, -1, True, 1.5])
def test_batch_sizes(size, cumulative_bl):
    with pytest.raises(ConvRNNError, match="batch_size must be a positive integer, got"):
        compile_network(cumulative_bl, engine="keras").predict(images(1), size)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "onnx"}, "engine must be one of 'tiles', 'openvino', 'keras', 'auto', got 'onnx'"),
        ({"precision": "float16"}, "precision must be one of 'float32', 'bfloat16', got 'float16'"),
        ({"threads": 0}, "threads must be a positive integer or None, got 0"),
        ({"threads": True}, "threads must be"),
        ({"outputs": "Softmax"}, "no output called Softmax"),
        ({"outputs": []}, "no layer of bl_net was named"),
        ({"n_timesteps": 2}, "describe a weights file"),
    ],
)
def test_options_out_of_range(options, says, cumulative_bl):
    with pytest.raises(ConvRNNError, match=says):
        compile_network(cumulative_bl, **options)


@each_engine
def test_other_models(engine):
    model = in_model(b_net((64, 64, 3), 5, width=0.02))
    if engine != "keras":
        with pytest.raises(ConvRNNError, match="engine='keras', which runs any functional model"):
            compile_network(model, outputs="ReLU_Layer_3", engine=engine)
        return
    batch = images(3)
    predictor = compile_network(model, outputs="ReLU_Layer_3")
    assert "not a network of convrnn_model" in predictor.plan().why
    assert predictor.plan().output_shapes == {}
    expected = activations(model, "ReLU_Layer_3").predict_on_batch(batch)
    assert_close(predictor.predict(batch), expected)
    with pytest.raises(ConvRNNError, match="did you mean ReLU_Layer_6"):
        compile_network(model, outputs="ReLU_Layer_7").predict(batch)


@needs_openvino
@pytest.mark.parametrize("kind", ["avx512", "neon"])
def test_bfloat16_is_refused_by_processors_without_it(kind, cumulative_bl, monkeypatch):
    monkeypatch.setattr(module, "processor", lambda: kind)
    with pytest.raises(ConvRNNError, match=f"AVX512_BF16 or AMX.*got {kind}"):
        compile_network(cumulative_bl, precision="bfloat16")


@needs_openvino
@pytest.mark.skipif(processor() not in BFLOAT16, reason="the processor lacks bfloat16")
def test_bfloat16(cumulative_bl):
    batch = images(2)
    predictor = compile_network(cumulative_bl, precision="bfloat16", engine="openvino")
    assert predictor.plan((64, 64), 2).precision == "bfloat16"
    expected = np.stack(cumulative_bl.predict_on_batch(batch), axis=1)
    # Numbers have 8 significant bits.
    np.testing.assert_allclose(predictor.predict(batch), expected, atol=0.05)


def test_bfloat16_of_keras(cumulative_bl):
    batch = images(2)
    found = compile_network(cumulative_bl, precision="bfloat16", engine="keras").predict(batch)
    assert found.dtype == np.float32
    expected = np.stack(cumulative_bl.predict_on_batch(batch), axis=1)
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize(
    "engine", [param for param in INSTALLED if param.values != ("keras",)] + [pytest.param("auto")]
)
def test_files_are_computed_without_keras(engine, tmp_path):
    if engine == "auto" and missing("tiles") and missing("openvino"):
        pytest.skip("only Keras is installed")
    save_weights(b_net((64, 64, 3), 5, width=0.02), tmp_path / "w.h5")
    code = (
        "import json, sys\n"
        "import numpy as np\n"
        "from convrnn_model import compile_network\n"
        f"predictor = compile_network({str(tmp_path / 'w.h5')!r}, engine={engine!r})\n"
        "shape = predictor.predict(np.zeros((2, 64, 64, 3), np.float32)).shape\n"
        "print(json.dumps([shape, sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[2, 1, 5], []]


exact_engines = pytest.mark.parametrize("engine", ["tiles", pytest.param("openvino", marks=needs_openvino)])


@exact_engines
def test_bl_reproduces_the_original(engine, golden_file, shared):
    golden = dict(np.load(shared / "golden" / "bl_ecoset.npz"))
    wanted = [name(time) for name in (names.softmax, names.global_pool) for time in range(8)]
    predictor = compile_network(golden_file, outputs=wanted, engine=engine)
    found = predictor.predict(preprocess_image(golden["images"]))
    softmax, features = (np.stack([found[name] for name in part]) for part in (wanted[:8], wanted[8:]))
    np.testing.assert_allclose(softmax, golden["softmax"], rtol=RTOL)
    # Features after ReLU can be small differences of large sums.
    largest = golden["gap"].max(axis=-1, keepdims=True)
    np.testing.assert_allclose(features / largest, golden["gap"] / largest, rtol=0, atol=RTOL)


@exact_engines
def test_bl_reproduces_the_cumulative_readout(engine, golden_file, shared):
    golden = dict(np.load(shared / "golden" / "bl_ecoset.npz"))
    predictor = compile_network(golden_file, engine=engine, cumulative_readout=True)
    found = predictor.predict(preprocess_image(golden["images"]))
    np.testing.assert_allclose(found.swapaxes(0, 1), golden["softmax_cumulative"], rtol=RTOL)


@exact_engines
@pytest.mark.parametrize("name", ["b", "b_k", "b_f", "b_d"])
def test_feedforward_networks_reproduce_the_original(engine, name, shared, fill_golden):
    import convrnn_model

    golden = np.load(shared / "golden" / f"{name}.npz")
    model = getattr(convrnn_model, f"{name}_net")((128, 128, 3), 1000)
    fill_golden(model)
    found = compile_network(model, engine=engine).predict(preprocess_image(golden["images"]))
    np.testing.assert_allclose(found[:, 0], golden["softmax"], rtol=RTOL)
