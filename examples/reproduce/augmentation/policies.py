"""AutoAugment's policies for CIFAR and SVHN.

A policy is a tuple of sub-policies, each a tuple of two operations (name, probability,
level). The level is 0 for the operations that have none ("-").

Reference:
    - [AutoAugment, Cubuk et al., 2019](https://arxiv.org/abs/1805.09501)
"""


def _read(table):
    """A policy from text: its sub-policies stand between the signs "|" and the lines."""
    lines = table.strip().replace("|", "\n").splitlines()
    return tuple(tuple(map(_operation, line.split(","))) for line in lines)


def _operation(text):
    name, probability, level = text.split()
    return name, float(probability), 0 if level == "-" else int(level)


# What the code for CIFAR performs, AutoAugment's own and the paper's: 95 sub-policies.
# Some are there twice, and some have an operation of probability 0.
CIFAR = _read("""
Invert .1 -, Contrast .2 6             | Rotate .7 2, TranslateX .3 9
Sharpness .8 1, Sharpness .9 3         | ShearY .5 8, TranslateY .7 9
AutoContrast .5 -, Equalize .9 -       | Solarize .4 5, AutoContrast .9 -
TranslateY .9 9, TranslateY .7 9       | AutoContrast .9 -, Solarize .8 3
Equalize .8 -, Invert .1 -             | TranslateY .7 9, AutoContrast .9 -
Solarize .4 5, AutoContrast .0 -       | TranslateY .7 9, TranslateY .7 9
AutoContrast .9 -, Solarize .4 3       | Equalize .7 -, Invert .1 -
TranslateY .7 9, TranslateY .7 9       | Solarize .4 5, AutoContrast .9 -
TranslateY .8 9, TranslateY .9 9       | AutoContrast .8 -, TranslateY .7 9
TranslateY .2 7, Color .9 6            | Equalize .7 -, Color .4 9
ShearY .2 7, Posterize .3 7            | Color .4 3, Brightness .6 7
Sharpness .3 9, Brightness .7 9        | Equalize .6 -, Equalize .5 -
Contrast .6 7, Sharpness .6 5          | Brightness .3 7, AutoContrast .5 -
AutoContrast .9 -, AutoContrast .5 -   | Solarize .3 5, Equalize .6 -
TranslateY .2 4, Sharpness .3 3        | Brightness .0 8, Color .8 8
Solarize .2 6, Color .8 6              | Solarize .2 6, AutoContrast .8 -
Solarize .4 1, Equalize .6 -           | Brightness .0 0, Solarize .5 2
AutoContrast .9 -, Brightness .5 3     | Contrast .7 5, Brightness .0 2
Solarize .2 8, Solarize .1 5           | Contrast .5 1, TranslateY .2 9
AutoContrast .6 -, TranslateY .0 9     | AutoContrast .9 -, Equalize .8 -
Brightness .0 7, Equalize .4 -         | Solarize .2 5, Equalize .7 -
Equalize .6 -, Color .6 2              | Color .3 7, Color .2 4
AutoContrast .5 -, Solarize .7 2       | AutoContrast .2 -, Equalize .1 -
ShearY .6 5, Equalize .6 -             | Brightness .9 3, AutoContrast .4 -
Equalize .8 -, Equalize .7 -           | Equalize .7 -, Solarize .5 0
Equalize .8 -, TranslateY .8 9         | TranslateY .8 9, TranslateY .6 9
TranslateY .9 0, TranslateY .5 9       | AutoContrast .5 -, Solarize .3 4
Solarize .5 3, Equalize .4 -           | Color .7 7, TranslateX .5 8
Equalize .3 -, AutoContrast .4 -       | TranslateY .4 3, Sharpness .2 6
Brightness .9 6, Color .2 8            | Solarize .5 2, Invert .0 -
AutoContrast .1 -, Brightness .0 0     | Cutout .2 4, Equalize .1 -
Equalize .7 -, AutoContrast .6 -       | Color .1 8, ShearY .2 3
ShearY .4 2, Rotate .7 0               | ShearY .1 3, AutoContrast .9 -
TranslateY .3 6, Cutout .3 3           | Equalize .5 -, Solarize .6 6
AutoContrast .3 -, Rotate .2 7         | Equalize .8 -, Invert .4 -
Equalize .9 -, Color .7 0              | Equalize .1 -, ShearY .1 3
AutoContrast .7 -, Equalize .7 -       | Brightness .5 1, Contrast .1 7
Contrast .1 4, Solarize .6 5           | Solarize .2 3, ShearX .0 0
TranslateX .3 0, TranslateX .6 0       | Equalize .5 -, TranslateY .6 7
ShearX .1 0, Sharpness .5 1            | Equalize .8 -, Invert .3 -
AutoContrast .3 -, Cutout .5 3         | ShearX .4 4, AutoContrast .9 -
ShearX .0 3, Posterize .0 3            | Solarize .4 3, Color .2 4
Equalize .1 -, Equalize .7 -           | Equalize .3 -, AutoContrast .4 -
Solarize .6 4, AutoContrast .7 -       | AutoContrast .2 -, Brightness .4 8
Equalize .1 -, Equalize .0 -           | Equalize .8 -, Equalize .0 -
Equalize .5 -, AutoContrast .1 -       | Solarize .5 5, AutoContrast .9 -
AutoContrast .6 -, AutoContrast .7 -   | Equalize .2 -, AutoContrast .1 -
Equalize .6 -, Equalize .4 -
""")

# The 25 that AutoAugment's paper prints for CIFAR-10. The code has 20 of them.
CIFAR_25 = _read("""
Invert .1 -, Contrast .2 6             | Rotate .7 2, TranslateX .3 9
Sharpness .8 1, Sharpness .9 3         | ShearY .5 8, TranslateY .7 9
AutoContrast .5 -, Equalize .9 -       | ShearY .2 7, Posterize .3 7
Color .4 3, Brightness .6 7            | Sharpness .3 9, Brightness .7 9
Equalize .6 -, Equalize .5 -           | Contrast .6 7, Sharpness .6 5
Color .7 7, TranslateX .5 8            | Equalize .3 -, AutoContrast .4 -
TranslateY .4 3, Sharpness .2 6        | Brightness .9 6, Color .2 8
Solarize .5 2, Invert .0 -             | Equalize .2 -, AutoContrast .6 -
Equalize .2 -, Equalize .6 -           | Color .9 9, Equalize .6 -
AutoContrast .8 -, Solarize .2 8       | Brightness .1 3, Color .7 0
Solarize .4 5, AutoContrast .9 -       | TranslateY .9 9, TranslateY .7 9
AutoContrast .9 -, Solarize .8 3       | Equalize .8 -, Invert .1 -
TranslateY .7 9, AutoContrast .9 -
""")

SVHN = _read("""
ShearX .9 4, Invert .2 -               | ShearY .9 8, Invert .7 -
Equalize .6 -, Solarize .6 6           | Invert .9 -, Equalize .6 -
Equalize .6 -, Rotate .9 3             | ShearX .9 4, AutoContrast .8 -
ShearY .9 8, Invert .4 -               | ShearY .9 5, Solarize .2 6
Invert .9 -, AutoContrast .8 -         | Equalize .6 -, Rotate .9 3
ShearX .9 4, Solarize .3 3             | ShearY .8 8, Invert .7 -
Equalize .9 -, TranslateY .6 6         | Invert .9 -, Equalize .6 -
Contrast .3 3, Rotate .8 4             | Invert .8 -, TranslateY .0 2
ShearY .7 6, Solarize .4 8             | Invert .6 -, Rotate .8 4
ShearY .3 7, TranslateX .9 3           | ShearX .1 6, Invert .6 -
Solarize .7 2, TranslateY .6 7         | ShearY .8 4, Invert .8 -
ShearX .7 9, TranslateY .8 3           | ShearY .8 5, AutoContrast .7 -
ShearX .7 2, Invert .1 -
""")
