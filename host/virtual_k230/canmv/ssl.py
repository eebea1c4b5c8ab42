"""ssl on the virtual board: TLS over a connected socket, spoken by the PC. No certificate is verified, as on the board."""

from _hal import call as _call

CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2
PROTOCOL_TLS_CLIENT = 0
PROTOCOL_TLS_SERVER = 1


def _text(pem):
    """PEM as text; DER is not understood here."""
    if pem is None or isinstance(pem, str):
        return pem
    if not bytes(pem[:1]) == b"-":
        raise ValueError("the virtual K230 takes keys and certificates as PEM only")
    return bytes(pem).decode()


def wrap_socket(
    sock, key=None, cert=None, server_side=False, server_hostname=None, do_handshake=True,
    keyfile=None, certfile=None, cert_reqs=CERT_NONE, cadata=None,
):  # fmt: skip
    if keyfile:
        with open(keyfile) as file:
            key = file.read()
    if certfile:
        with open(certfile) as file:
            cert = file.read()
    _call("socket.tls", sock._handle, bool(server_side), server_hostname, _text(key), _text(cert))
    return sock


class SSLContext:
    """Key and certificate for several sockets."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.verify_mode = CERT_NONE
        self._key = None
        self._cert = None

    def load_cert_chain(self, certfile, keyfile):
        with open(certfile) as file:
            self._cert = file.read()
        with open(keyfile) as file:
            self._key = file.read()

    def wrap_socket(self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        return wrap_socket(sock, self._key, self._cert, server_side, server_hostname)
