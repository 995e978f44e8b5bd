"""The rows of the paper's tables, beside the flags that reproduce them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """A number of the paper, and how it is reproduced.

    Attributes:
        table: Which of the paper's tables or figures it is from.
        flags: Tuple of strings, those of `train.py` beside the recipe's name. Where there
            are several, the best mean counts: the paper trained plainly for twice as many
            epochs, too.
        paper: The paper's number with its interval, as printed: test error in percent, in
            Table 4 accuracy.
        others: Dict of independent numbers, by their source.
    """

    table: str
    flags: tuple
    paper: str
    others: dict = dataclasses.field(default_factory=dict)


def rows(table, numbers, longer=None):
    """A row with SAM and one without for each data set and augmentation.

    Args:
        table: As of `Row`.
        numbers: Dict from `(dataset, augmentation)` to `(sam, plain)`, or with the
            independent numbers of each to `(sam, plain, others_sam, others_plain)`.
        longer: The epochs of a second plain training, or `None`.
    """
    found = []
    for (dataset, augmentation), (sam, plain, *others) in numbers.items():
        flags = f"--dataset={dataset} --augmentation={augmentation}"
        without = [f"{flags} --rho=0"]
        if longer:
            without.append(f"{flags} --rho=0 --epochs={longer}")
        others_sam, others_plain = others or ({}, {})
        found.append(Row(table, (flags,), sam, others_sam))
        found.append(Row(table, tuple(without), plain, others_plain))
    return tuple(found)
