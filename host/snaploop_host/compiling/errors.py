"""What can go wrong between an ONNX file and a checked kmodel; every message names the thing and the mend.

CompilingError
├── DotnetMissingError    no .NET runtime for nncase on this machine
├── NncaseMissingError    nncase or its simulator is not installed
├── CompileFailedError    the compiler refused, aborted, ran too long or outgrew its memory
└── SimulatorFailedError  the kmodel does not load or run in the K230 simulator
"""


class CompilingError(Exception):
    """Root of the errors of this folder."""


class DotnetMissingError(CompilingError):
    """No .NET runtime was found and none can be laid out."""


class NncaseMissingError(CompilingError):
    """nncase, its K230 plug-in or its simulator executable is not installed."""


class CompileFailedError(CompilingError):
    """nncase produced no kmodel; the message carries its own reason."""


class SimulatorFailedError(CompilingError):
    """The kmodel does not load or run in Canaan's simulator."""
