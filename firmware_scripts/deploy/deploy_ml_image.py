"""A picture: things by likeness to the pictures in the package's library folder.

`import deploy_ml_image; deploy_ml_image.main("/sdcard/photo.jpg")`, or run it as it is.
"""

import sys

sys.path.append("/sdcard/deploy")  # where this folder lies when it was copied whole

import snaploop_deploy


def main(path=None, folder=None, threshold=None, debug_mode=0):
    """Look at a picture (None: the first one in the package); the marked copy lies beside it."""
    return snaploop_deploy.image("ml", path, folder, threshold, debug_mode=debug_mode)


if __name__ == "__main__":
    main()
