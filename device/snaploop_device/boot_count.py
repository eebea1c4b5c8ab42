"""How often the app was started on this card: part of every sample name and of every request's counter."""

FILE = "boot_count"
REQUESTS_PER_BOOT = 1 << 20


def next_boot(card) -> int:
    """Count this start and keep it on the card; the number of this start, from 1.

    Raises:
        CardFullError, OSError: the card cannot keep it. Without a new number the app must not run: names would repeat.
    """
    card.finish(FILE, _is_whole)
    count = 0
    if card.has(FILE):
        data = card.read(FILE)
        count = int(data) if _is_whole(data) else 0
    for name in card.names("samples"):  # a lost file must not lead to names that exist already
        boot = name[1:].split("-")[0]
        if boot.isdigit():
            count = max(count, int(boot))
    keep(card, count + 1)
    return count + 1


def keep(card, count: int) -> None:
    """Store the number, with a line end that tells a whole file from a torn one."""
    card.write(FILE, "{}\n".format(count).encode())


def _is_whole(data):
    return data.endswith(b"\n") and data.strip().isdigit()
