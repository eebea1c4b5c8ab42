"""A picture of one line of text: what is written there. There is no video for it: a line must fill the picture."""

import snaploop_deploy


def main(path=None, folder=None):
    """Read the line in a picture (None: the first one in the package)."""
    return snaploop_deploy.image("ocrrec", path, folder)


if __name__ == "__main__":
    main()
