"""A part of the training images: which ones, with which labels."""

import numpy as np
import pytest
from data.subset import subset

from tests.helpers import only_on
from tests.reproduce import tiny

pytestmark = only_on("tensorflow", "NumPy alone chooses the images.")


def test_subset_takes_some_training_images_with_their_labels():
    source = tiny.small()
    part = subset(source, 8, seed=0)
    chosen = part.train.images[:, 0, 0, 0].astype(int)
    assert len(set(chosen)) == len(part.train) == 8
    np.testing.assert_array_equal(part.train.labels, chosen % 3)
    assert part.test is source.test
    again = subset(source, 8, seed=0).train.images
    np.testing.assert_array_equal(again, part.train.images)
    other = subset(source, 8, seed=1).train.images[:, 0, 0, 0]
    assert set(other) != set(chosen)
    # The first of many are among them: a curve over sizes adds images, and changes none.
    more = subset(source, 12, seed=0).train.images
    np.testing.assert_array_equal(more[:8], part.train.images)


@pytest.mark.parametrize("count", [0, 21])
def test_bad_count_of_a_subset(count):
    with pytest.raises(ValueError, match=f"images, 20. Received: count={count}"):
        subset(tiny.small(), count, seed=0)
