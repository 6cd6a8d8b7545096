"""A grid search of scikit-learn over all engines, through joblib's backend of ipyparallel."""

import argparse

import ipyparallel as ipp
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="sklearn")
    args = parser.parse_args()

    client = ipp.Client(profile=args.profile)
    client.load_balanced_view().register_joblib_backend()
    images, digits = load_digits(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVC()),
        {"svc__C": [0.1, 1, 10], "svc__gamma": [0.001, 0.01, 0.1]},
        cv=3,
    )
    with parallel_config("ipyparallel", n_jobs=len(client)):
        search.fit(images, digits)

    print(f"best: {search.best_params_}, {search.best_score_:.3f} of the digits read")
    for engine, status in sorted(client.queue_status(client.ids).items(), key=str):
        if engine in client.ids:
            print(f"engine {engine}: {status['completed']} tasks")


if __name__ == "__main__":
    main()
