"""What holds for every model, optimizer and mode: on drawn ones."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import keras_sam
from tests.fuzz.networks import networks
from tests.fuzz.training import ball, balls, exact, made, possible, settings, trainings
from tests.helpers import BACKEND, array, assert_identical, groups_of, state
from tests.optimizers import begins_right
from tests.plain import LEAST, MODES, ROUNDING, assert_like_plain
from tests.reference import reference_step

pytestmark = pytest.mark.filterwarnings("ignore:Gradients do not exist")
# On PyTorch what has no seed draws from a generator that no file keeps.
SEEDED = BACKEND == "torch"


def rounding(training):
    """Of two programs that do the same."""
    return max(0.0 if exact(training.mode) else ROUNDING["jit"], LEAST)


@given(networks(), trainings())
def test_at_zero_it_is_plain_fit(literal_graphs, network, training):
    assume(begins_right(training.optimizer, MODES[training.mode]))
    keras.config.set_dtype_policy(training.policy)
    assert_like_plain(
        lambda cls: training.compile(cls(*network.build()), network),
        lambda model: training.fit(model, network),
        rounding(training),
    )


def after(network, training, make, **kwargs):
    """The model that `make` gives for inputs and outputs, trained."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    model = training.compile(make(*network.build()), network)
    training.fit(model, network, **kwargs)
    return model


@given(networks(), trainings(), settings())
def test_the_three_forms_agree(literal_graphs, network, training, names):
    assume(possible(names))
    keras.config.set_dtype_policy(training.policy)

    class Mixed(keras_sam.SharpnessAware, keras.Model):
        pass

    def from_model(inputs, outputs):
        source = keras.Model(inputs, outputs)
        return keras_sam.SAMModel.from_model(source, **made(names, training))

    forms = [
        lambda *ends: keras_sam.SAMModel(*ends, **made(names, training)),
        lambda *ends: Mixed(*ends, **made(names, training)),
        from_model,
    ]
    first, *others = [state(after(network, training, form)) for form in forms]
    for other in others:
        assert_identical(other, first, rounding(training))


@given(networks(), trainings(), balls())
def test_m_of_the_whole_batch_is_no_m(literal_graphs, network, training, arguments):
    keras.config.set_dtype_policy(training.policy)
    assume(training.batch_size <= training.n)
    # The gradient of an embedding is sparse then, but not in groups: SGD adds it up in
    # another order, and most optimizers do otherwise with it (docs/limits.md).
    assume(BACKEND != "tensorflow" or "tokens" not in dict(network.branches))
    # Above 2 the perturbation is infinitely steep where a gradient is 0, and at 1 it turns.
    assume(exact(training.mode) or 1 < arguments["p"] <= 2)
    # So is batch norm of one example, whose variance is rounding alone.
    assume(exact(training.mode) or training.n % training.batch_size != 1)
    results = [
        state(
            after(
                network,
                training,
                lambda *ends, m=m: keras_sam.SAMModel(*ends, m=m, **ball(**arguments)),
            )
        )
        for m in (None, training.batch_size)
    ]
    assert_identical(*results, rounding(training))


@given(networks(apart=True), st.integers(2, 9), st.integers(1, 9), balls())
def test_groups_are_the_mean_of_their_steps(network, n, m, arguments):
    """Weighted by how many examples they have."""
    assume(m <= n)
    x, y = network.data(n)

    def moved(rows, m=None):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = keras_sam.SAMModel(*network.build(), m=m, **ball(**arguments))
        model.compile(keras.optimizers.SGD(1.0), network.losses)
        before = model.get_weights()
        model.train_on_batch(*keras.tree.map_structure(lambda a: a[rows], (x, y)))
        return [a - b for a, b in zip(model.get_weights(), before)]

    parts = [(rows.stop - rows.start, moved(rows)) for rows in groups_of(n, m)]
    mean = [
        sum(k * w for k, w in zip([k for k, _ in parts], ws)) / n
        for ws in zip(*[w for _, w in parts])
    ]
    for a, b in zip(moved(slice(n), m), mean):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@given(networks(seeded=SEEDED), trainings(), settings())
def test_saved_loaded_and_gone_on_with(
    literal_graphs, tmp_path_factory, network, training, names
):
    # After Keras's own `fit` on JAX the weights and their averages share their arrays, and
    # a second `fit` fails: JAX takes no array over twice.
    assume(not (BACKEND == "jax" and training.extra == "average"))
    assume(possible(names))
    keras.config.set_dtype_policy(training.policy)
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model = after(
        network,
        training,
        lambda *ends: keras_sam.SAMModel(*ends, **made(names, training)),
        shuffle=False,
    )
    model.save(path)
    loaded = keras.models.load_model(path)
    for each in (model, loaded):
        training.fit(each, network, shuffle=False, initial_epoch=2, epochs=3)
    assert_identical(state(loaded), state(model), rounding(training))


class Failing(keras.layers.Layer):
    """Fails in the call that it is told to."""

    left = None

    def call(self, x):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("It fails here")
        return x


@given(networks(), trainings(["eager"]), settings(), st.integers(0, 1))
def test_a_failed_step_leaves_all_as_it_was(network, training, names, calls):
    assume(possible(names))
    keras.config.set_dtype_policy(training.policy)
    failing = Failing()
    model = after(
        network,
        training,
        lambda inputs, outputs: keras_sam.SAMModel(
            inputs, keras.tree.map_structure(failing, outputs), **made(names, training)
        ),
    )
    # Not the seeds, which plain training has moved then, too.
    variables = [*model.weights, *model.optimizer.variables]
    before = [array(v) for v in variables]
    failing.left = calls
    try:
        model.train_on_batch(*network.data(training.batch_size))
    except RuntimeError as error:
        assert "It fails here" in str(error)
    else:
        return  # The step had one pass only.
    assert_identical([array(v) for v in variables], before)


@given(networks(seeded=True), st.integers(2, 9), st.floats(1e-3, 1.0))
def test_two_passes_by_other_means(literal_graphs, float64, network, n, rho):
    # On JAX it takes its softmax in float32.
    blocks = [name for _, names in network.branches for name in names]
    assume(BACKEND != "jax" or "attention" not in blocks)
    keras.config.set_dtype_policy("float64")
    x, y = network.data(n)
    models = []
    for cls, kwargs in ((keras.Model, {}), (keras_sam.SAMModel, {"rho": rho})):
        keras.utils.set_random_seed(1)
        models.append(cls(*network.build(), **kwargs))
        models[-1].compile(keras.optimizers.SGD(0.1, momentum=0.9), network.losses)
    for _ in range(3):
        reference_step(models[0], x, y, rho)
        models[1].train_on_batch(x, y)
    assert_identical(models[1].get_weights(), models[0].get_weights(), rtol=1e-9)
