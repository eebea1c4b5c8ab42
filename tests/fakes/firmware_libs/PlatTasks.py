"""A stand-in for the firmware's libs.PlatTasks: its seven classes take the documented arguments in their order and check them.

They run no model: each answers in the documented form, says what it was given, and draws one string. What the real classes make of our
kmodels is tried with the vendor's own libs, which are not part of this repository.
"""

import image
from ulab import numpy as np


class _App:
    def __init__(self, mode, kmodel_path, *sizes):
        assert mode in ("video", "image"), "Invalid mode"
        open(kmodel_path, "rb").close()
        model_input_size, rgb888p_size, display_size, debug_mode = sizes
        for size in (model_input_size, rgb888p_size, display_size):
            assert isinstance(size, list) and len(size) == 2, size
        assert debug_mode in (0, 1)
        self.mode, self.display_size, self.is_ready = mode, display_size, False
        print(type(self).__name__, mode, kmodel_path)

    def config_preprocess(self, input_image_size=None):
        self.is_ready = True

    def run(self, frame):
        assert self.is_ready and frame.shape[0] == 3, frame.shape
        return self.answer()

    def draw_result(self, canvas, found):
        if self.mode == "video":
            canvas.clear()
        canvas.draw_string_advanced(5, 5, 32, type(self).__name__, color=(255, 0, 255, 0))

    def deinit(self):
        print("deinit", type(self).__name__)


def _is_share(value):
    return 0 <= value <= 1


class ClassificationApp(_App):
    def __init__(self, mode, kmodel_path, labels, model_input_size, confidence_threshold, *sizes):
        assert isinstance(labels, list) and _is_share(confidence_threshold)
        super().__init__(mode, kmodel_path, model_input_size, *sizes)

    def answer(self):
        return {"label": "green", "score": 0.9}


class MultiLabelClassificationApp(ClassificationApp):
    def answer(self):
        return {"labels": ["red"], "scores": [0.9]}


class DetectionApp(_App):
    def __init__(
        self,
        mode,
        kmodel_path,
        labels,
        model_input_size,
        anchors,
        model_type,
        confidence_threshold,
        nms_threshold,
        *sizes,
    ):
        assert isinstance(labels, list) and _is_share(confidence_threshold) and _is_share(nms_threshold)
        assert model_type != "AnchorBaseDet" or len(anchors) == 18
        super().__init__(mode, kmodel_path, model_input_size, *sizes)

    def answer(self):
        found = [[1, 2, 31, 44], [5, 6, 7, 8]]
        idx, scores = np.array([1, 0], dtype=np.int16), np.array([0.9, 0.5])
        return {"boxes": np.array(found, dtype=np.int16), "scores": scores, "idx": idx}


class SegmentationApp(_App):
    def __init__(self, mode, kmodel_path, labels, model_input_size, *sizes):
        assert isinstance(labels, list)
        super().__init__(mode, kmodel_path, model_input_size, *sizes)

    def answer(self):
        width, height = self.display_size
        mask = np.zeros((height, width, 3), dtype=np.uint8)
        mask[: height // 2, :, 1] = 255
        self.kept = mask
        return {"mask": image.Image(width, height, image.RGB888, alloc=image.ALLOC_REF, data=mask)}


class OCRDetectionApp(_App):
    def __init__(self, mode, kmodel_path, model_input_size, mask_threshold, box_threshold, *sizes):
        assert _is_share(mask_threshold) and _is_share(box_threshold)
        super().__init__(mode, kmodel_path, model_input_size, *sizes)

    def answer(self):
        return {"boxes": [[1, 2, 9, 2, 9, 8, 1, 8]], "crop_images": [np.zeros((1, 8, 24, 3), dtype=np.uint8)]}


class OCRRecognitionApp(_App):
    def __init__(self, mode, kmodel_path, model_input_size, ocr_dict, *sizes):
        assert isinstance(ocr_dict, dict) and 0 in ocr_dict
        super().__init__(mode, kmodel_path, model_input_size, *sizes)

    def answer(self):
        return {"text": "k230"}

    def draw_result(self, canvas, boxes, texts):
        assert len(boxes) == len(texts)
        canvas.draw_string_advanced(5, 5, 32, texts[0], color=(255, 0, 255, 0))


class MetricLearningApp(_App):
    def __init__(self, mode, kmodel_path, model_input_size, confidence_threshold, *sizes):
        assert _is_share(confidence_threshold)
        self.learnt = []
        super().__init__(mode, kmodel_path, model_input_size, *sizes)

    def load_image(self, path, label):
        open(path, "rb").close()
        self.learnt.append(label)

    def answer(self):
        return {"label": self.learnt[0], "score": 1.0}
