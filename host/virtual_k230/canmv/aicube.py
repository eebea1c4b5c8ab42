"""aicube on the virtual board: decoders for models of Canaan's platforms; see virtual_k230/postprocess/aicube.py."""

from _postprocess import function as _function

anchorbasedet_post_process = _function("aicube", "anchorbasedet_post_process", 11)
anchorfreedet_post_process = _function("aicube", "anchorfreedet_post_process", 10)
gfldet_post_process = _function("aicube", "gfldet_post_process", 10)
ocr_post_process = _function("aicube", "ocr_post_process", 6)
seg_post_process = _function("aicube", "seg_post_process", 4)
