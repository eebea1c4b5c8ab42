"""What a job asks for by name and this machine does not have is said before anything is measured or trained."""

from __future__ import annotations

import importlib.util
import json
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

if importlib.util.find_spec("nncase") is None:  # importing it needs .NET
    pytest.skip("nncase is not installed: pip install 'snaploop[train]'", allow_module_level=True)

from snaploop_host.training import estimate
from snaploop_host.training.errors import BadJobError
from snaploop_host.training.job_spec import Parameters
from snaploop_host.training.machine_needs import check_needs


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"nncase": "1.9.0"}, r"nncase=1\.9\.0: this host compiles with .* pip install nncase==1\.9\.0"),
        ({"device": "cuda:7"}, "device=cuda:7: torch sees .* use device=auto or device=cpu"),
    ],
)
def test_another_compiler_and_a_gpu_that_is_not_there(asked, words):
    with pytest.raises(BadJobError, match=words):
        check_needs(Parameters(**asked))


def test_what_is_here_is_no_news():
    check_needs(Parameters())
    check_needs(Parameters(device="cpu"))


def test_an_estimate_says_it_too(tmp_path, capfd, monkeypatch):
    job = SimpleNamespace(task="detect", parameters=Parameters(nncase="1.9.0"))
    monkeypatch.setattr(estimate, "read_job", lambda _: job)
    estimate.main([str(tmp_path)])
    assert "this host compiles with" in json.loads(capfd.readouterr().out)["error"]
