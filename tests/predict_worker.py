"""Opens a trained file, on a backend of Keras that does not train."""

import sys

import keras
import numpy as np

import keras_sam
from tests.models import rows


def main(source, target, results):
    model = keras.models.load_model(source)
    assert isinstance(model, keras_sam.SAMModel)
    x, y = rows()
    predictions = keras.ops.convert_to_numpy(model.predict(x, verbose=0))
    evaluated = model.evaluate(x, y, verbose=0)
    model.save(target)
    words = []
    for train in (model.fit, model.train_on_batch):
        try:
            train(x, y)
        except NotImplementedError as error:  # Keras's refusal, which the test reads.
            words.append(str(error))
    np.savez(results, predictions=predictions, evaluated=evaluated, words=words)


if __name__ == "__main__":
    main(*sys.argv[1:])
