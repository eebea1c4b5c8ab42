"""What can go wrong between a dataset version and its weights; every message names the thing and the mend.

TrainingError
├── BadJobError      job.json cannot be used
├── BadDatasetError  a photo or a box cannot be used
├── GateRefusedError the kmodel loses too much against the float model
└── JobCancelled     someone asked the job to stop
"""


class TrainingError(Exception):
    """Root of the errors of this folder."""


class BadJobError(TrainingError):
    """The job file is missing, malformed or asks for something impossible."""


class BadDatasetError(TrainingError):
    """A photo cannot be decoded, or a box lies outside its photo."""


class GateRefusedError(TrainingError):
    """No rung of the ladder kept the kmodel close enough to the float model; the message has the numbers."""


class JobCancelled(TrainingError):
    """The job got SIGTERM or SIGINT."""
