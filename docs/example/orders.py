"""An order service with a leak, for docs/guide.md.

`python3 orders.py` serves on port 8000; `python3 orders.py load` sends it orders, some 150 a second, until stopped.
"""

import http.client
import itertools
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRICES = {f"article-{number}": 3 + number * 7 % 50 for number in range(200)}


class ReplyCache:
    """Replies by idempotency key: an order that is sent twice is accepted once."""

    def __init__(self):
        self.replies = {}

    def reply_to(self, key, order):
        if key not in self.replies:
            self.replies[key] = render(accept(order))
        return self.replies[key]


def accept(order):
    lines = [{**line, "price": PRICES[line["article"]] * line["count"]} for line in order["lines"]]
    return {"customer": order["customer"], "lines": lines, "total": sum(line["price"] for line in lines)}


def render(invoice):
    return json.dumps(invoice, indent=1).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cache = ReplyCache()

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = self.cache.reply_to(self.headers["Idempotency-Key"], order)
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


def load():
    # Its name keeps it out of `--comm python`.
    with open("/proc/self/comm", "w") as comm:
        comm.write("orders-load")
    connection = http.client.HTTPConnection("127.0.0.1", 8000)
    for number in itertools.count():
        lines = [{"article": f"article-{(number + step) % 200}", "count": step} for step in range(1, 20)]
        body = json.dumps({"customer": f"customer-{number % 1000}", "lines": lines})
        connection.request("POST", "/orders", body, {"Idempotency-Key": f"order-{number}"})
        connection.getresponse().read()
        time.sleep(0.005)


if __name__ == "__main__":
    if sys.argv[1:] == ["load"]:
        load()
    else:
        ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
