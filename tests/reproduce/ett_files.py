"""Files of the form of ETTh1.csv."""

import csv
from datetime import datetime, timedelta

HOURS = 20 * 30 * 24


def ett_file(path, hours=HOURS, columns=7, minutes=60):
    """Column c at an hour is c + hour; after the training months, 10 times that."""
    start = datetime(2016, 7, 1)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", *(f"c{c}" for c in range(columns))])
        for hour in range(hours):
            scale = 1 if hour < 12 * 720 else 10
            date = start + timedelta(minutes=minutes * hour)
            writer.writerow([date, *(scale * (c + hour) for c in range(columns))])
    return path
