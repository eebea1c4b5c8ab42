"""aidemo on the virtual board: decoders of the vendor's demos; see virtual_k230/postprocess."""

from _hal import call as _call
from _postprocess import function as _function

_ARGUMENTS = {
    "body_seg_postprocess": 5, "contours": 6, "eye_gaze_post_process": 1, "face_det_post_process": 6, "face_draw_mesh": 2,
    "face_mesh_post_process": 2, "face_parse_post_process": 6, "invert_affine_transform": 1, "licence_det_postprocess": 5,
    "mask_resize": 3, "ocr_rec_preprocess": 3, "opencv_grayscale_find_blobs": 4, "person_kp_postprocess": 5, "polylines": 7,
    "rgb888_compress": 3, "segment_postprocess": 8, "yolo26_det_postprocess": 7, "yolo26_obb_postprocess": 7,
    "yolo26_pose_postprocess": 9, "yolo26_seg_postprocess": 9, "yolo_license_plate_det_postprocess": 7,
    "yolo_obb_postprocess": 8, "yolov5_det_postprocess": 8, "yolov5_seg_postprocess": 10, "yolov8_det_postprocess": 8,
    "yolov8_pose_postprocess": 10, "yolov8_seg_postprocess": 10, "yunet_postprocess": 8,
}  # fmt: skip

_is_newest = _call("board.profile")["has_newest_ai"]  # YOLO26 came after firmware 1.6

for _name, _count in _ARGUMENTS.items():
    if _is_newest or not _name.startswith("yolo26_"):
        globals()[_name] = _function("aidemo", _name, _count)
del _name, _count, _is_newest

nanotracker_postprocess = _function("aidemo", "nanotracker_postprocess", 7, 8)
_wav_bytes = _function("aidemo", "_wav_bytes", 3)


def save_wav(samples, length, path, rate):
    data = _wav_bytes(samples, length, rate).tobytes()
    with open(path, "wb") as file:
        file.write(data)


def _without_sound(*arguments):
    raise RuntimeError("virtual K230 has no microphone and no loudspeaker: kws and tts need a real board")


kws_fp_create = kws_fp_destroy = kws_preprocess = _without_sound
tts_zh_create = tts_zh_destroy = tts_zh_preprocess = _without_sound
