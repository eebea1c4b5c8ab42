"""What can go wrong between a dataset version and its weights; every message names the thing and the mend.

TrainingError
├── BadJobError      job.json cannot be used
├── BadDatasetError  a photo or a box cannot be used
├── GateRefusedError the kmodel loses too much against the float model
├── TooLongError     the estimate is above the limit that the user set
└── JobCancelled     someone asked the job to stop
"""


class TrainingError(Exception):
    """Root of the errors of this folder."""


class BadJobError(TrainingError):
    """The job file is missing, malformed or asks for something impossible."""


class BadDatasetError(TrainingError):
    """A photo cannot be decoded, or a box lies outside its photo."""


class GateRefusedError(TrainingError):
    """The best kmodel of the ladder is so far from the float model that it answers nothing; the message has the numbers."""


class TooLongError(TrainingError):
    """The run is estimated to take longer than the user lets it; nothing was trained."""


class JobCancelled(TrainingError):
    """The job got SIGTERM or SIGINT."""
