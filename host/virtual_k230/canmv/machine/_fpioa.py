"""machine.FPIOA: which function a pad has."""

from _hal import call as _call

_FIELDS = ("st", "ds", "pd", "pu", "oe", "ie", "msc")


class _PinConfig:
    """The electrical settings of one pad."""

    def __init__(self, pin, fields):
        self.pin = pin
        for name in _FIELDS:
            setattr(self, name, fields[name])

    def __repr__(self):
        return '"pin": %d, {%s }' % (
            self.pin,
            ", ".join(['"%s": %d' % (name, getattr(self, name)) for name in _FIELDS]),
        )


class FPIOA:
    def set_function(self, pin, func, *, ie=-1, oe=-1, pu=-1, pd=-1, ds=-1, st=-1, sl=-1):
        settings = {"ie": ie, "oe": oe, "pu": pu, "pd": pd, "ds": ds, "st": st}
        _call("fpioa.set", pin, func, {name: value for name, value in settings.items() if value != -1})
        if sl != -1:
            print("not support set sl", end="")

    def get_pin_num(self, func):
        return _call("fpioa.pin_of", func)

    def get_pin_func(self, pin):
        return _call("fpioa.function_of", pin)

    def get_pin_cfg(self, pin):
        return _PinConfig(pin, _call("hw.pad", pin))

    def set_pin_cfg(self, config):
        _call("hw.pad", config.pin, {name: getattr(config, name) for name in _FIELDS})
        return True

    def help(self, num=-1, *, func=False):
        print(_call("fpioa.help", num, func), end="")

    def __repr__(self):
        self.help()
        return ""


for _number, _name in enumerate(_call("fpioa.names")):
    if _name[:2] not in ("CI", "CO", "DI", "DO"):
        setattr(FPIOA, _name, _number)
