"""A picture of one line of text: what is written there. There is no video for it: a line must fill the picture."""

import sys

sys.path.append("/sdcard/deploy")  # where this folder lies when it was copied whole

import snaploop_deploy


def main(path=None, folder=None):
    """Read the line in a picture (None: the first one in the package)."""
    return snaploop_deploy.image("ocrrec", path, folder)


if __name__ == "__main__":
    main()
