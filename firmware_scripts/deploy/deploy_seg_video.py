"""Live video: regions by class. Runs until it is stopped."""

import sys

sys.path.append("/sdcard/deploy")  # where this folder lies when it was copied whole

import snaploop_deploy


def main(folder=None, threshold=None, display=None, seconds=None, frames=None, debug_mode=0):
    """Show the camera with marks; `display`: "lcd", "hdmi" or None for what the board has."""
    return snaploop_deploy.video("seg", folder, threshold, display, seconds, frames, debug_mode=debug_mode)


if __name__ == "__main__":
    main()
