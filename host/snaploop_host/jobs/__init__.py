"""Training jobs as processes: one folder and one process per job."""
