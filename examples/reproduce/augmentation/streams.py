"""A number for each random function.

It is folded into the seed, so that what one function draws says nothing of another's draw
from the same seed.
"""

AUTO, RAND, CROP, FLIP, RESIZED, CUTOUT, MIXUP = range(7)
