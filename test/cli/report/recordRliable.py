"""Records test/golden/rliable.json: statistics of made-up scores by rliable 1.2 (Agarwal et al. 2021) itself.

Usage: python test/cli/report/recordRliable.py  (in a venv with rliable 1.2 from PyPI)
Matrices are [runs][tasks], as rliable takes them. `indices` are the runs of each resample, [resamples][runs][tasks], so that
another implementation can be given the same draws; `sameDraws` are the 95 % percentile bounds over exactly these, as arch
(rliable's bootstrap) takes them, and `intervals` rliable's own with 20 000 draws of its generator.
"""
import json, pathlib

import numpy as np
from rliable import library, metrics

random = np.random.default_rng(20260101)
aggregates = {
    "mean": metrics.aggregate_mean,
    "median": metrics.aggregate_median,
    "iqm": metrics.aggregate_iqm,
    "optimalityGap": metrics.aggregate_optimality_gap,
}
scores = {
    "even": random.normal(0.9, 0.5, (5, 4)),  # 20 values: a quarter is whole
    "odd": random.normal(0.6, 0.4, (3, 5)),  # 15 values: a quarter is not
    "outlier": np.concatenate([random.normal(0.5, 0.2, (4, 3)), [[9.0, -4.0, 0.5]]]),
    "other": random.normal(0.7, 0.5, (7, 4)),  # to compare "even" with
}
scores["even"][0, 0] = scores["other"][2, 0]  # a tie
thresholds = np.linspace(-0.5, 2, 26)


def recorded(name, matrix):
    runs, tasks = matrix.shape
    indices = random.integers(0, runs, (200, runs, tasks))
    draws = [np.take_along_axis(matrix, index, axis=0) for index in indices]
    estimates, intervals = library.get_interval_estimates(
        {name: matrix},
        lambda x: np.array([statistic(x) for statistic in aggregates.values()]),
        method="percentile", reps=20000, random_state=np.random.RandomState(3),
    )
    profile, profile_intervals = library.create_performance_profile(
        {name: matrix}, thresholds, reps=2000,
    )
    return {
        "scores": matrix.tolist(),
        "aggregates": dict(zip(aggregates, estimates[name].tolist())),
        "intervals": dict(zip(aggregates, intervals[name].T.tolist())),
        "indices": indices.tolist(),
        "sameDraws": {
            key: np.percentile([statistic(x) for x in draws], [2.5, 97.5]).tolist()
            for key, statistic in aggregates.items()
        },
        "profile": profile[name].tolist(),
    }


pair = (scores["even"], scores["other"])
estimates, intervals = library.get_interval_estimates(
    {"pair": pair}, metrics.probability_of_improvement, method="percentile", reps=5000,
    random_state=np.random.RandomState(4),
)
result = {
    "thresholds": thresholds.tolist(),
    "cases": {name: recorded(name, matrix) for name, matrix in scores.items()},
    "improvement": {"of": "even", "over": "other", "value": float(estimates["pair"]), "interval": np.ravel(intervals["pair"]).tolist()},
}
target = pathlib.Path(__file__).parents[2] / "golden" / "rliable.json"
target.write_text(json.dumps(result) + "\n")
