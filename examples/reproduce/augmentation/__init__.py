"""The paper's augmentations, as TensorFlow ops for `tf.data`.

A random function takes `seed`, an integer tensor of shape (2,), and gives the same result
for the same seed. Each function draws from a stream of its own, so that one seed an image
is enough for all of them:

    def augment(image, seed):
        image = auto_augment(image, seed, policies.CIFAR)
        image = random_flip(random_crop(image, seed), seed)
        return cutout(normalise(image), seed)
"""
