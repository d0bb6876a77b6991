"""What happens all day: a web server on the edge of each region, and clients that keep connections to all of them.

All of it runs in threads of this process, with sockets that belong to their places. The times of interest are those of the
kernel, which answers a packet whether or not a thread of ours has its turn.
"""

import http.client
import http.server
import socketserver
import threading

from kernel import inside
from world import World

PORT = 8080
# What the health check looks for; as small as what a beacon is answered.
BODY = b"ok"
# Between two rounds of a client. Some round trips a second of each are plenty, and the machine is shared.
THINKING_S = 0.2
# A client begins anew after so many rounds, as a page that is left for the next one.
ROUNDS_OF_A_PAGE = 20
PATIENCE_S = 5.0


class Page(http.server.BaseHTTPRequestHandler):
    """Answers every path alike and keeps the connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Head and body leave in one segment.
    wbufsize = -1

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Says nothing: nobody reads it."""


class Edge(socketserver.ThreadingTCPServer):
    """The web server of a region. Not the one of `http.server`, which asks the DNS of this machine for its name first."""

    daemon_threads = True
    # All clients come at once. One that found the queue full would try again a second later, and the kernel would count
    # that second as a round trip.
    request_queue_size = 64

    def __init__(self, world: World, region: str) -> None:
        with inside(region):
            super().__init__((world.places[region].address, PORT), Page)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Says nothing: a client that leaves in the middle is no news."""


class Client(threading.Thread):
    """One client, with one connection to each edge, until its process ends. It goes to all in turn, as the beacon of a
    page does: who is slow is measured as often as who is near."""

    def __init__(self, world: World, place: str, address: str, regions: list[str]) -> None:
        super().__init__(daemon=True)
        self.place, self.address = place, address
        self.edges = [world.places[region].address for region in regions]
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            pages = [self.open(edge) for edge in self.edges]
            try:
                for _ in range(ROUNDS_OF_A_PAGE):
                    for page in pages:
                        page.request("GET", "/beacon")
                        page.getresponse().read()
                    self.over.wait(THINKING_S)
            except (OSError, http.client.HTTPException):
                pass
            for page in pages:
                page.close()

    def open(self, edge: str) -> http.client.HTTPConnection:
        """A connection from this client's place and address; it is made when it is used first."""
        return Connection(self.place, edge, self.address)


class Connection(http.client.HTTPConnection):
    """A connection that is made in a place."""

    def __init__(self, place: str, edge: str, address: str) -> None:
        super().__init__(edge, PORT, timeout=PATIENCE_S, source_address=(address, 0))
        self.place = place

    def connect(self) -> None:
        with inside(self.place):
            super().connect()
