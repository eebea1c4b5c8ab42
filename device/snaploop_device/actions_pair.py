"""The commands of the Pair screen: look for a code, ask the host, take over what was agreed on."""

from . import config
from .layout import SYNC
from .pairing import Pairing


class PairActions:
    """Part of Actions."""

    def _open_pair(self) -> None:
        app = self._app
        app.pairing = Pairing(app.board, app.config, app.boot, app.log)
        app.state.pair_text, app.state.pair_failed = app.pairing.text, False

    def _close_pair(self) -> None:
        pairing, self._app.pairing = self._app.pairing, None
        if pairing is not None:
            pairing.close()

    def do_pair_step(self) -> None:
        """Go on with pairing, while its screen is open."""
        app = self._app
        fields = app.pairing.step(app.now_ms)
        app.state.pair_text, app.state.pair_failed = app.pairing.text, app.pairing.is_error
        if fields is not None:
            self.do_paired(fields)

    def do_paired(self, fields: dict) -> None:
        """Take over what host and board agreed on, on the card first; no restart is needed."""
        app = self._app
        config.change(app.card, app.config, fields)
        app.models.use_key(app.config.key)
        app.state.is_paired = True
        app.sync.greet_again()
        if app.state.screen != SYNC:
            self.do_open(SYNC)
        self.do_say("paired as {}".format(app.config.name), "good")

    def do_host_moved(self, address: str, port: int) -> None:
        """The host said where it is now."""
        app = self._app
        config.change(app.card, app.config, {"host": [address, port]})
        app.wifi.look_again()
        app.sync.greet_again()
        self.do_say("the host is at {} now".format(address), "good")
