"""Running mean and variance, as gymnasium's RunningMeanStd has them. Needs numpy alone."""
import numpy as np


class Moments:
    """Mean and variance (population), batch by batch in float64, begun with mean 0, variance 1 and weight 1e-4."""

    def __init__(self, shape=()):
        self.mean, self.variance, self.count = np.zeros(shape), np.ones(shape), 1e-4

    def fold(self, batch):
        count, mean, variance = len(batch), batch.mean(0), batch.var(0)
        apart, total = mean - self.mean, self.count + count
        squares = self.variance * self.count + variance * count + apart**2 * self.count * count / total
        self.mean, self.variance, self.count = self.mean + apart * count / total, squares / total, total
