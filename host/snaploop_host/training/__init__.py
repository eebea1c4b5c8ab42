"""Datasets to weights: what runs inside the worker process of one training job.

`python -m snaploop_host.training.job JOB_DIR` is the entry. torch, ultralytics and OpenCV are imported inside the modules
that need them, never here, so that a host without them can still import the package.
"""
