"""What the detectors of image.Image give: OpenMV's results, with a method for every field and access by index."""


def _frozen(value):
    return tuple([_frozen(part) for part in value]) if type(value) is list else value


class Found:
    """One result: found.x(), found[0], len(found), unpacking; print() shows all fields."""

    def __init__(self, reply):
        self._n = reply[0]
        self._names = [pair[0] for pair in reply[1]]
        self._values = [_frozen(pair[1]) for pair in reply[1]]

    def __getattr__(self, name):
        if name not in self._names:
            raise AttributeError("result has no attribute '%s'" % name)
        value = self._values[self._names.index(name)]
        return lambda: value

    def __getitem__(self, key):
        return tuple(self._values[: self._n])[key]

    def __len__(self):
        return self._n

    def __iter__(self):
        return iter(self._values[: self._n])

    def __repr__(self):
        return "{" + ", ".join(['"%s":%r' % (n, v) for n, v in zip(self._names[: self._n], self._values)]) + "}"


class Histogram(Found):
    """Shares per bin; percentiles, Otsu's threshold and statistics are computed from them."""

    def __init__(self, reply, statistics):
        super().__init__(reply)
        self._statistics = statistics

    def get_statistics(self):
        return self._statistics()

    statistics = get_stats = get_statistics

    def get_percentile(self, share):
        at = []
        for name in ("bins",) if self._n == 1 else ("l_bins", "a_bins", "b_bins"):
            bins = getattr(self, name)()
            low, span = (0, 256) if name == "bins" else (0, 101) if name == "l_bins" else (-128, 256)
            total, index = 0, 0
            for index in range(len(bins)):
                total += bins[index]
                if total >= share:
                    break
            at.append(int(low + index * span / len(bins)))
        names = ("value",) if self._n == 1 else ("l_value", "a_value", "b_value")
        return Found((len(at), list(zip(names, at))))

    def get_threshold(self):
        bins = self.bins()
        best, best_at, below, below_sum = -1, 0, 0, 0
        mean = sum([i * bins[i] for i in range(len(bins))])
        for i in range(len(bins)):
            below += bins[i]
            below_sum += i * bins[i]
            if 0 < below < 1:
                apart = (mean * below - below_sum) ** 2 / (below * (1 - below))
                if apart > best:
                    best, best_at = apart, i
        span = 256 if self._n == 1 else 101
        value = int(best_at * span / len(bins))
        names = ("value",) if self._n == 1 else ("l_value", "a_value", "b_value")
        return Found((len(names), [(name, value) for name in names]))
